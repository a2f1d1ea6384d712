;; LZO1X compression of pages, each by itself: see lzo.ts, which says what the stream looks like and where memory has what.
;; The first 8192 bytes are the table: where in the page hashes stood last.
;;
;; Loads and stores of whole words go up to 16 bytes beyond what they are for: there is room behind the pages and the output.
(module
  (memory (export "memory") 10)

  ;; Writes a length beyond what fits in its instruction: zeroes for 255 each, then the rest, which is not 0.
  (func $length (param $op i32) (param $rest i32) (result i32)
    (block $end
      (loop $more
        (br_if $end (i32.le_u (local.get $rest) (i32.const 255)))
        (i32.store8 (local.get $op) (i32.const 0))
        (local.set $op (i32.add (local.get $op) (i32.const 1)))
        (local.set $rest (i32.sub (local.get $rest) (i32.const 255)))
        (br $more)))
    (i32.store8 (local.get $op) (local.get $rest))
    (i32.add (local.get $op) (i32.const 1)))

  ;; Writes literals [from, from + run), and how many: in two bits of the instruction before, if there is one and they are few.
  ;; $state is where those bits stand; 0 before the first instruction.
  (func $literals (param $from i32) (param $run i32) (param $op i32) (param $state i32) (result i32)
    (local $end i32)
    (if (i32.and (i32.eqz (local.get $state)) (i32.le_u (local.get $run) (i32.const 238)))
      (then
        (i32.store8 (local.get $op) (i32.add (local.get $run) (i32.const 17)))
        (local.set $op (i32.add (local.get $op) (i32.const 1))))
      (else
        (if (i32.and (i32.ne (local.get $state) (i32.const 0)) (i32.le_u (local.get $run) (i32.const 3)))
          (then
            (i32.store8 (local.get $state) (i32.or (i32.load8_u (local.get $state)) (local.get $run))))
          (else
            (if (i32.le_u (local.get $run) (i32.const 18))
              (then
                (i32.store8 (local.get $op) (i32.sub (local.get $run) (i32.const 3)))
                (local.set $op (i32.add (local.get $op) (i32.const 1))))
              (else
                (i32.store8 (local.get $op) (i32.const 0))
                (local.set $op
                  (call $length
                    (i32.add (local.get $op) (i32.const 1))
                    (i32.sub (local.get $run) (i32.const 18))))))))))
    (local.set $end (i32.add (local.get $op) (local.get $run)))
    (loop $more
      (i64.store (local.get $op) (i64.load (local.get $from)))
      (i64.store offset=8 (local.get $op) (i64.load offset=8 (local.get $from)))
      (local.set $op (i32.add (local.get $op) (i32.const 16)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $op) (local.get $end))))
    (local.get $end))

  ;; Compresses the $size bytes at $page to $out. Gives how many were written; 0 if that would be more than $most.
  (func $compress (export "compress")
    (param $page i32) (param $size i32) (param $out i32) (param $most i32) (result i32)
    (local $ip i32) (local $end i32) (local $op i32) (local $room i32)
    (local $from i32)       ;; where the literals begin that were not written yet
    (local $state i32) (local $word i32) (local $slot i32) (local $at i32)
    (local $length i32) (local $run i32) (local $back i32) (local $differ i64)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 8192))
    (local.set $ip (local.get $page))
    (local.set $from (local.get $ip))
    (local.set $end (i32.add (local.get $ip) (local.get $size)))
    (local.set $op (local.get $out))
    ;; what a match at the very end could need beyond the literals
    (local.set $room (i32.sub (i32.add (local.get $op) (local.get $most)) (i32.const 8)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $ip) (i32.const 5)) (local.get $end)))
        (local.set $word (i32.load (local.get $ip)))
        ;; of five bytes: a seventh faster than of four, for 4 % more
        (local.set $slot
          (i32.shl
            (i32.wrap_i64
              (i64.shr_u
                (i64.mul (i64.shl (i64.load (local.get $ip)) (i64.const 24)) (i64.const 0x9e3779b185ebca87))
                (i64.const 52)))
            (i32.const 1)))
        (local.set $at (i32.add (local.get $page) (i32.load16_u (local.get $slot))))
        (i32.store16 (local.get $slot) (i32.sub (local.get $ip) (local.get $page)))
        (local.set $back (i32.sub (i32.sub (local.get $ip) (local.get $at)) (i32.const 1)))
        ;; nothing there, itself (which is -1 back), or too far away
        (if (i32.or
              (i32.ne (i32.load (local.get $at)) (local.get $word))
              (i32.ge_u (local.get $back) (i32.const 16384)))
          (then
            ;; the longer nothing is found, the larger the steps
            (local.set $ip
              (i32.add
                (i32.add (local.get $ip) (i32.const 1))
                (i32.shr_u (i32.sub (local.get $ip) (local.get $from)) (i32.const 5))))
            (br $next)))
        (local.set $length (i32.const 4))
        (block $counted
          (loop $longer
            (br_if $counted (i32.ge_u (i32.add (local.get $ip) (local.get $length)) (local.get $end)))
            (local.set $differ
              (i64.xor
                (i64.load (i32.add (local.get $at) (local.get $length)))
                (i64.load (i32.add (local.get $ip) (local.get $length)))))
            (if (i64.ne (local.get $differ) (i64.const 0))
              (then
                (local.set $length
                  (i32.add
                    (local.get $length)
                    (i32.shr_u (i32.wrap_i64 (i64.ctz (local.get $differ))) (i32.const 3))))
                (br $counted)))
            (local.set $length (i32.add (local.get $length) (i32.const 8)))
            (br $longer)))
        (if (i32.gt_u (i32.add (local.get $ip) (local.get $length)) (local.get $end))
          (then (local.set $length (i32.sub (local.get $end) (local.get $ip)))))

        (local.set $run (i32.sub (local.get $ip) (local.get $from)))
        (if (i32.gt_u
              (i32.add
                (i32.add (local.get $op) (i32.add (local.get $run) (i32.shr_u (local.get $run) (i32.const 7))))
                (i32.add (i32.shr_u (local.get $length) (i32.const 7)) (i32.const 8)))
              (local.get $room))
          (then (return (i32.const 0))))
        (if (local.get $run)
          (then
            (local.set $op
              (call $literals (local.get $from) (local.get $run) (local.get $op) (local.get $state)))))
        (if (i32.and (i32.le_u (local.get $length) (i32.const 8)) (i32.lt_u (local.get $back) (i32.const 2048)))
          (then
            ;; 01LDDDSS and 1LLDDDSS, of which the bits of L are length + 1 from 010 on
            (i32.store8
              (local.get $op)
              (i32.or
                (i32.shl (i32.sub (local.get $length) (i32.const 1)) (i32.const 5))
                (i32.shl (i32.and (local.get $back) (i32.const 7)) (i32.const 2))))
            (local.set $state (local.get $op))
            (i32.store8 offset=1 (local.get $op) (i32.shr_u (local.get $back) (i32.const 3)))
            (local.set $op (i32.add (local.get $op) (i32.const 2))))
          (else
            (if (i32.le_u (local.get $length) (i32.const 33))
              (then
                (i32.store8 (local.get $op) (i32.or (i32.const 0x20) (i32.sub (local.get $length) (i32.const 2))))
                (local.set $op (i32.add (local.get $op) (i32.const 1))))
              (else
                (i32.store8 (local.get $op) (i32.const 0x20))
                (local.set $op
                  (call $length
                    (i32.add (local.get $op) (i32.const 1))
                    (i32.sub (local.get $length) (i32.const 33))))))
            (local.set $state (local.get $op))
            (i32.store16 (local.get $op) (i32.shl (local.get $back) (i32.const 2)))
            (local.set $op (i32.add (local.get $op) (i32.const 2)))))
        (local.set $ip (i32.add (local.get $ip) (local.get $length)))
        (local.set $from (local.get $ip))
        (br $next)))
    (local.set $run (i32.sub (local.get $end) (local.get $from)))
    (if (i32.gt_u
          (i32.add
            (i32.add (local.get $op) (i32.add (local.get $run) (i32.shr_u (local.get $run) (i32.const 7))))
            (i32.const 8))
          (local.get $room))
      (then (return (i32.const 0))))
    (if (local.get $run)
      (then
        (local.set $op (call $literals (local.get $from) (local.get $run) (local.get $op) (local.get $state)))))
    (i32.store16 (local.get $op) (i32.const 0x11))
    (i32.store8 offset=2 (local.get $op) (i32.const 0))
    (i32.sub (i32.add (local.get $op) (i32.const 3)) (local.get $out)))

  ;; Whether the $size bytes at $page, a multiple of 32, are all zeroes.
  (func $zero (param $page i32) (param $size i32) (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $page) (local.get $size)))
    (loop $more
      (if (i64.ne
            (i64.or
              (i64.or (i64.load (local.get $page)) (i64.load offset=8 (local.get $page)))
              (i64.or (i64.load offset=16 (local.get $page)) (i64.load offset=24 (local.get $page))))
            (i64.const 0))
        (then (return (i32.const 0))))
      (local.set $page (i32.add (local.get $page) (i32.const 32)))
      (br_if $more (i32.lt_u (local.get $page) (local.get $end))))
    (i32.const 1))

  ;; Compresses $count pages of $size bytes at $page to $out, one behind another; those that do not get smaller are copied.
  ;; Writes the size of each at $sizes: 0 for a page of zeroes, if those are dropped. Gives how many bytes were written.
  (func (export "pack")
    (param $page i32) (param $count i32) (param $size i32) (param $out i32) (param $sizes i32) (param $dropsZeroes i32)
    (result i32)
    (local $op i32) (local $length i32)
    (local.set $op (local.get $out))
    (loop $next
      (if (i32.and (local.get $dropsZeroes) (call $zero (local.get $page) (local.get $size)))
        (then (local.set $length (i32.const 0)))
        (else
          (local.set $length
            (call $compress
              (local.get $page)
              (local.get $size)
              (local.get $op)
              (i32.sub (local.get $size) (i32.const 1))))
          (if (i32.eqz (local.get $length))
            (then
              (local.set $length (local.get $size))
              (memory.copy (local.get $op) (local.get $page) (local.get $size))))))
      (i32.store (local.get $sizes) (local.get $length))
      (local.set $sizes (i32.add (local.get $sizes) (i32.const 4)))
      (local.set $op (i32.add (local.get $op) (local.get $length)))
      (local.set $page (i32.add (local.get $page) (local.get $size)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $next (local.get $count)))
    (i32.sub (local.get $op) (local.get $out))))
