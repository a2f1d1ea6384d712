// Loaded before the tests (`node --import`): property tests draw the same inputs for the same commit, so that a change
// fails by what it changes and not by the dice. `INQUEST_SEED=N npm test` draws others; `INQUEST_SEED=random` new ones.
import fc from 'fast-check';

const wish = process.env.INQUEST_SEED ?? '1';
if (wish !== 'random') {
  const seed = Number(wish);
  if (!Number.isSafeInteger(seed)) throw new Error(`INQUEST_SEED=${wish} is neither a number nor "random"`);
  fc.configureGlobal({ seed });
}
