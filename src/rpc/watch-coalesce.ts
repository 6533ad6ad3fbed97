import type { UserChange, UserChangeKind } from "../model/change.ts";
import type { UserId } from "../model/id.ts";

/**
 * Leaves of each User's changes the last one, which stands for those before it: its state is the
 * whole state, and `furtherKinds` tells what else has happened. The order of positions stays.
 *
 * Changes that came in bulk are never merged with others, since apps welcome the Users of the
 * latter alone.
 */
export function coalesce(changes: readonly UserChange[]): readonly UserChange[] {
  const last = new Map<UserId, UserChange>();
  const merged = new Set<UserChange>();
  for (const change of changes) {
    const before = last.get(change.userId);
    const mergeable = before !== undefined && before.bulk === change.bulk;
    if (mergeable) merged.delete(before);
    const kept = mergeable ? standFor(before, change) : change;
    last.set(change.userId, kept);
    merged.add(kept);
  }
  return merged.size === changes.length ? changes : [...merged];
}

function standFor(before: UserChange, change: UserChange): UserChange {
  const kinds = new Set<UserChangeKind>([
    ...before.furtherKinds,
    before.kind,
    ...change.furtherKinds,
  ]);
  kinds.delete(change.kind);
  return { ...change, furtherKinds: [...kinds] };
}
