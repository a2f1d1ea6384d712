;; What looks at every byte of a log, sixteen at a time: see byte_search.ts, which says what the tables hold.
;;
;;   memory   16 +--------------------------+ +------------------------------------------+
;;               | text, and 32 bytes more  | | tables of sets of keys: memory that grew |
;;               +--------------------------+ +------------------------------------------+
(module
  (memory (export "memory") 17)

  ;; The groups that the bytes at $at may belong to, by tables of their lower and of their upper nibbles.
  (func $groups (param $low v128) (param $high v128) (param $at i32) (result v128)
    (v128.and
      (i8x16.swizzle (local.get $low) (v128.and (v128.load (local.get $at)) (i8x16.splat (i32.const 15))))
      (i8x16.swizzle (local.get $high) (i8x16.shr_u (v128.load (local.get $at)) (i32.const 4)))))

  ;; The first place in [$at, $to) where a key may stand, or -1.
  (func (export "find") (param $tables i32) (param $at i32) (param $to i32) (result i32)
    (local $bits i32) (local $place i32) (local $hash i32)
    (local $low0 v128) (local $high0 v128) (local $low1 v128) (local $high1 v128)
    (local $low2 v128) (local $high2 v128) (local $low3 v128) (local $high3 v128)
    (local.set $low0 (v128.load offset=0 (local.get $tables)))
    (local.set $high0 (v128.load offset=16 (local.get $tables)))
    (local.set $low1 (v128.load offset=32 (local.get $tables)))
    (local.set $high1 (v128.load offset=48 (local.get $tables)))
    (local.set $low2 (v128.load offset=64 (local.get $tables)))
    (local.set $high2 (v128.load offset=80 (local.get $tables)))
    (local.set $low3 (v128.load offset=96 (local.get $tables)))
    (local.set $high3 (v128.load offset=112 (local.get $tables)))
    (loop $more
      (if (i32.ge_u (local.get $at) (local.get $to)) (then (return (i32.const -1))))
      (local.set $bits
        (i8x16.bitmask
          (i8x16.ne
            (v128.and
              (v128.and
                (call $groups (local.get $low0) (local.get $high0) (local.get $at))
                (call $groups (local.get $low1) (local.get $high1) (i32.add (local.get $at) (i32.const 1))))
              (v128.and
                (call $groups (local.get $low2) (local.get $high2) (i32.add (local.get $at) (i32.const 2)))
                (call $groups (local.get $low3) (local.get $high3) (i32.add (local.get $at) (i32.const 3)))))
            (v128.const i32x4 0 0 0 0))))
      (block $none
        (loop $next
          (br_if $none (i32.eqz (local.get $bits)))
          (local.set $place (i32.add (local.get $at) (i32.ctz (local.get $bits))))
          (if (i32.ge_u (local.get $place) (local.get $to)) (then (return (i32.const -1))))
          (local.set $hash
            (i32.shr_u (i32.mul (i32.load (local.get $place)) (i32.const 0x9e3779b1)) (i32.const 16)))
          (if (i32.and
                (i32.shr_u
                  (i32.load8_u offset=128
                    (i32.add (local.get $tables) (i32.shr_u (local.get $hash) (i32.const 3))))
                  (i32.and (local.get $hash) (i32.const 7)))
                (i32.const 1))
            (then (return (local.get $place))))
          (local.set $bits (i32.and (local.get $bits) (i32.sub (local.get $bits) (i32.const 1))))
          (br $next)))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $more))
    (unreachable))

  ;; A bit for each of the sixteen bytes at $at that is a newline.
  (func $newlines (param $at i32) (result i32)
    (i8x16.bitmask (i8x16.eq (v128.load (local.get $at)) (i8x16.splat (i32.const 10)))))

  ;; The bits of the bytes that are left in [$at, $to), fewer than sixteen.
  (func $rest (param $at i32) (param $to i32) (result i32)
    (i32.sub (i32.shl (i32.const 1) (i32.sub (local.get $to) (local.get $at))) (i32.const 1)))

  ;; Newlines in [$at, $to).
  (func (export "lines") (param $at i32) (param $to i32) (result i32)
    (local $count i32)
    (block $end
      (loop $more
        (br_if $end (i32.lt_u (i32.sub (local.get $to) (local.get $at)) (i32.const 16)))
        (local.set $count (i32.add (local.get $count) (i32.popcnt (call $newlines (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $more)))
    (i32.add
      (local.get $count)
      (i32.popcnt (i32.and (call $newlines (local.get $at)) (call $rest (local.get $at) (local.get $to))))))

  ;; A bit for each of the sixteen bytes at $at that is no printable ASCII, or is a quote or a backslash.
  (func $specials (param $at i32) (result i32)
    (local $bytes v128)
    (local.set $bytes (v128.load (local.get $at)))
    (i8x16.bitmask
      (v128.or
        ;; bytes above 127 are negative
        (v128.or
          (i8x16.lt_s (local.get $bytes) (i8x16.splat (i32.const 0x20)))
          (i8x16.eq (local.get $bytes) (i8x16.splat (i32.const 0x7f))))
        (v128.or
          (i8x16.eq (local.get $bytes) (i8x16.splat (i32.const 0x22)))
          (i8x16.eq (local.get $bytes) (i8x16.splat (i32.const 0x5c)))))))

  ;; The first such byte in [$at, $to); $to if there is none.
  (func (export "special") (param $at i32) (param $to i32) (result i32)
    (local $bits i32)
    (block $found
      (loop $more
        (if (i32.lt_u (i32.sub (local.get $to) (local.get $at)) (i32.const 16))
          (then
            (local.set $bits (i32.and (call $specials (local.get $at)) (call $rest (local.get $at) (local.get $to))))
            (br_if $found (local.get $bits))
            (return (local.get $to))))
        (br_if $found (local.tee $bits (call $specials (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $more)))
    (i32.add (local.get $at) (i32.ctz (local.get $bits)))))
