import { type Context, UsageError } from "./context.ts";

/**
 * Asks before something that cannot be undone; `yes` is the answer given beforehand.
 *
 * @throws {UsageError} where nobody can be asked, or the answer is no.
 */
export async function confirm(
  { terminal }: Context,
  question: string,
  { yes }: { readonly yes?: true },
): Promise<void> {
  if (yes) return;
  if (!terminal.interactive) throw new UsageError("add --yes: nobody can be asked here");
  if (!(await terminal.confirm(question))) throw new UsageError("nothing was done");
}
