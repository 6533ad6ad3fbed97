/** A Mirror cannot go on: its tables or its Site are not what they have to be. */
export class MirrorError extends Error {
  override readonly name = "MirrorError";
}

/** A Mirror did not hold what was waited for in time. It may hold it a moment later. */
export class MirrorTimeoutError extends Error {
  override readonly name = "MirrorTimeoutError";
}

/**
 * Another instance has written since this one last looked. Nothing of the write took effect; it
 * is no failure, as this instance reads the state anew and goes on from there.
 */
export class MirrorConflictError extends Error {
  override readonly name = "MirrorConflictError";
  constructor() {
    super("another instance has moved the mirror");
  }
}

/** The key sees other fields than before: a new snapshot has to bring them to all rows. */
export class MirrorScopeError extends Error {
  override readonly name = "MirrorScopeError";
  constructor() {
    super("the key sees other fields than before");
  }
}
