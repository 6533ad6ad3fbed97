import { type Context, UsageError } from "./context.ts";

/** The answer, where it was given beforehand. */
export interface ConfirmOptions {
  readonly yes?: true;
}

/** The flags of {@link ConfirmOptions}. */
export const YES_FLAGS = ["--yes", "do not ask"] as const;

/**
 * Asks before something that cannot be undone; `yes` is the answer given beforehand.
 *
 * @throws {UsageError} where nobody can be asked, or the answer is no.
 */
export async function confirm(
  { terminal }: Context,
  question: string,
  { yes }: ConfirmOptions,
): Promise<void> {
  if (yes) return;
  requirePerson(terminal);
  if (!(await terminal.confirm(question))) throw new UsageError("nothing was done");
}

/**
 * Has a name typed before something that would hurt many; `yes` is the answer given beforehand.
 *
 * @throws {UsageError} where nobody can be asked, or another name is typed.
 */
export async function confirmByName(
  { terminal }: Context,
  warning: string,
  name: string,
  { yes }: ConfirmOptions,
): Promise<void> {
  if (yes) return;
  requirePerson(terminal);
  terminal.note(warning);
  const typed = await terminal.ask(`Type "${name}" to go on: `);
  if (typed.trim() !== name) throw new UsageError("that is not its name; nothing was done");
}

function requirePerson(terminal: Context["terminal"]): void {
  if (!terminal.interactive) throw new UsageError("add --yes: nobody can be asked here");
}
