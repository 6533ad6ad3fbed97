/** Measures one contender once. */
export type Contender<Sample> = () => Promise<Sample>;

/**
 * Measures each contender once a round, and returns its samples by its name.
 *
 * What else runs on the machine comes and goes; contenders measured within seconds of each other
 * suffer alike. Each round begins with another one, so that none is always the first. One more
 * round comes before those and is not counted: code gets fast only when it has run for a while.
 */
export async function playRounds<Name extends string, Sample>(
  rounds: number,
  contenders: Readonly<Record<Name, Contender<Sample>>>,
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    Sample[]
  >;
  for (let round = 0; round <= rounds; round += 1) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const sample = await contenders[name]();
      if (round > 0) samples[name].push(sample);
    }
  }
  return samples;
}

/** Returns about half as many rounds, for what takes long; as odd as they are. */
export function fewRounds(rounds: number): number {
  return Math.floor(rounds / 2) | 1;
}
