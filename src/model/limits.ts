/** Every bound of the service in one place; units stand last in the names. */
export const LIMITS = {
  messageBytesMax: 64 * 1024,
  answerBytesMax: 4 * 1024 * 1024,
  callTimeoutMsMax: 30_000,
  callTimeoutMsDefault: 30_000,
  pageSizeDefault: 50,
  pageSizeMax: 500,
  batchIdsMax: 500,
  nameLengthMax: 200,
  emailLengthMax: 254,
  usernameLengthMax: 64,
  passwordCodePointsMax: 256,
  localeLengthMax: 35, // RFC 5646 §4.4.1 asks for room for 35 characters.
  domainLengthMax: 253,
  guessesMax: 20, // At one account, until its owner shows up.
  lockMs: 15 * 60_000,
  deviceTokenLengthMax: 256,
  knownDevicesMax: 50, // Of one User.
  callWindowMs: 60_000,
  callSyncMs: 250,
  callHoldersMax: 100_000, // Sources, and Sites besides, of which one process keeps count.
  hashWaitMsMax: 500,
  breachTimeoutMs: 1_000,
  breachAnswerBytesMax: 256 * 1024, // Ranges have some 40 KiB.
  breachRangesMax: 200, // Kept in memory, of some 100 KiB each.
  subkeysCachedMax: 1_024,
  mailsPerWindowMax: 6, // To one address of a Site, of those that anybody can cause.
  mailWindowMs: 60 * 60_000,
  mailTemplatesMax: 120, // Of one Site.
  retriedMailsMax: 1_000, // Of one call.
  mailTimeoutMs: 10_000,
  mailConnectionsMax: 5,
  mailsPerConnectionMax: 100,
  metadataBytesMax: 8 * 1024,
  metadataDepthMax: 16,
  urlLengthMax: 2_048,
  tokenLengthMax: 4_096,
  rolesMax: 32,
  domainsMax: 32,
  redirectUrlsMax: 64,
  scopesMax: 16,
  userFieldsMax: 32,
  keyUseDelayMs: 1_000,
  keyUsesMax: 20_000, // Of which one process writes down the last use, in one statement.
  erasedUsersMax: 200, // Of a deleted Site, in one transaction.
  erasureScanMax: 5_000, // Users and tombstones looked at for them.
  clientIdLengthMax: 64,
  frameBytesMax: 1024 * 1024,
  frameChangesMax: 500,
  streamsPerClientMax: 4,
  streamsPerSiteMax: 11_000, // The rest is left to others, however many one asks for.
  streamsMax: 12_000,
  revocationPageSizeMax: 1_000,
  pollSecondsMax: 25,
  importRowsMax: 200, // Of one message, and so of one transaction.
  importAttemptsMax: 6, // At rows that meet those of another transaction.
  importBatchesMax: 4, // Of one import under way at once.
  importTransactionsMax: 6, // Of all imports of a process; each holds a connection.
  importsPerCallerMax: 4,
  importsPerSiteMax: 12,
  importsMax: 16,
  exportsPerCallerMax: 4,
  exportsPerSiteMax: 12,
  exportsMax: 16,
  digestLeavesMax: 1_024,
  digestRowsMax: 20_000,
  digestChunkUsers: 50_000,
  digestScansMax: 2,
  digestScansWaitingMax: 30,
  digestTablesMax: 16,
  countScansMax: 2, // Counts of Users by a filter; each holds a connection for seconds.
  digestTableAgeMsMax: 45_000,
  snapshotsPerClientMax: 2,
  snapshotsPerSiteMax: 6,
  snapshotsMax: 8,
  mirrorsMax: 100,
  webhooksMax: 32, // Of one Site.
  webhookTimeoutMs: 15_000,
  webhookAnswerBytesMax: 64 * 1024,
  webhookPauseMsMax: 12 * 60 * 60_000, // That a receiver can ask for.
  webhookFailMsMax: 3 * 24 * 60 * 60_000, // Then a webhook that only fails is switched off.
  webhookLeaseMs: 25_000, // Longer than any attempt.
  webhookAttemptsMax: 8, // Under way at once to one receiver, over all processes.
  webhookRunsMax: 50, // Receivers that one process posts to at once.
  webhookTransactionsMax: 2, // Of all of them; each holds a connection.
  webhookQueuedRowsMax: 1_000, // In one transaction.
  webhookDueMax: 200,
  redeliveredPositionsMax: 100_000, // Of one call.
  changedDeliveriesMax: 10_000, // In one statement.
  deletedDeliveriesMax: 20_000, // In one transaction.
  deliveriesKeptDays: 30,
  leftWebhookDays: 4, // Of a deleted Site: what is not accepted for 3 days is dead.
  peersMax: 50,
  peerListMax: 100, // Fields or domains of one Peer.
  peerTimeoutMs: 5_000, // For all Peers that a login asks, and for the turn to ask.
  peerTurnMs: 2_500, // Of that. What is left is enough for a Peer that is well.
  peerFlightMs: 15_000, // Then whoever asks is taken for dead.
  peerTurnPollMs: 50,
  peerCallsMax: 32, // Under way at once from one process to one Peer.
  peerFailuresMax: 5, // In a row, and a Peer is left alone.
  peerPauseMs: 30_000,
  peerRefusalsMax: 10_000, // Of which one process knows for a while.
  peerRefusalMs: 30_000,
  peerAnswerBytesMax: 64 * 1024,
  peerPageBytesMax: 4 * 1024 * 1024,
  peerPageUsers: 200, // Of one page of a sync, and so of one transaction.
  peerSyncWaitSeconds: 8,
  peerSyncTimeoutMs: 15_000, // Of one page, the wait included.
  peerSyncLeaseMs: 20_000, // Longer than any page takes.
  meteredRowsMax: 100_000, // Of each kind that the metrics count.
  meteredMirrorsMax: 500, // Of which the metrics tell each; of all, those furthest behind.
  databasePoolMax: 16,
  databaseValidationPoolMax: 4,
  databaseDirectPoolMax: 6,
  clockOffsetMsMax: 60_000, // Between this machine and the database; tokens allow for half of it.
  databaseConnectTimeoutMs: 2_000,
  databaseStatementTimeoutMs: 3_000,
  databaseQueryTimeoutMs: 3_500,
  databaseLockTimeoutMs: 1_000,
  databaseIdleInTransactionTimeoutMs: 5_000,
  databaseRetryDelayMs: 1_000,
  transactionAttemptsMax: 3,
  transactionRetryDelayMs: 10,
  listenerProbeMs: 5_000,
  listenerProbeTimeoutMs: 2_000,
  disconnectTimeoutMs: 1_000,
  reconnectDelayMsMin: 50,
  reconnectDelayMsMax: 5_000,
  notifyIntervalMs: 10,
  partitionRowsMin: 10_000, // As many as one step of the sequencer numbers.
  partitionRowsMax: 1_000_000,
  chainedEventsMax: 2_000, // In one step, which takes about 0.1 s.
  erasedEventsMax: 1_000, // In the transaction that deletes the User; the rest goes later.
  auditKindsMax: 32,
  removedRowsMax: 1_000,
  removalBatchesMax: 1_000,
  expiredKeptDays: 7,
  postgresStartTimeoutMs: 60_000,
  postgresStopTimeoutMs: 10_000,
  postgresRestartDelayMs: 200,
  postgresPollMs: 10,
  postgresLogBytesMax: 10 * 1024 * 1024,
} as const;
