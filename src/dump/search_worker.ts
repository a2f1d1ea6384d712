// The program of a thread that searches (see search.ts).
import { serve } from '../base/threads.ts';
import { reopenDump } from './open.ts';
import { type ChunkHits, type SearchChunk, type SearchThreadData, searchChunk } from './search.ts';

serve<SearchThreadData, SearchChunk, ChunkHits>(({ dump, pattern }) => {
  const { memory } = reopenDump(dump);
  return (chunk) => {
    const result = searchChunk(memory, pattern, chunk);
    return { result, transfer: [result.addresses.buffer as ArrayBuffer, result.which.buffer as ArrayBuffer] };
  };
});
