-- The sequencer plans its statements once for each connection, not at every step.
--
-- It runs a few times a second in each process and after every commit, and three quarters of a
-- step went into plans (4.3 ms with them and 1.3 ms without, for one change). A plan for any
-- `xid >= $1` would by itself scan the whole outbox, since it cannot know that few rows match; so
-- scans of whole tables are ruled out wherever there is an index.

alter function signet.sequence_changes() set plan_cache_mode = force_generic_plan;
alter function signet.sequence_changes() set enable_seqscan = off;
alter function signet.follow_changes(bigint, integer) set plan_cache_mode = force_generic_plan;
alter function signet.follow_changes(bigint, integer) set enable_seqscan = off;

-- Also finds one row among the thousands of a large transaction, as the end of a backlog must.
create index change_outbox_xid_seq_idx on signet.change_outbox (xid, seq);
drop index signet.change_outbox_xid_idx;
