-- Mirrors as they report themselves, and what the health of a Site's sync is measured by.

create table signet.mirrors (
  site_id            uuid not null references signet.sites (id) on delete cascade,
  id                 uuid not null,
  name               text not null,
  state              text not null,
  epoch              bigint not null,
  position           bigint not null,
  -- The Mirror's own sums, and those that a Checkpoint gave it for the same position.
  users              bigint,
  xor                bigint,
  checkpoint_users   bigint,
  checkpoint_xor     bigint,
  -- The last comparison by digests; all null: there was none.
  reconcile_time     timestamptz,
  reconcile_position bigint,
  missing_count      bigint,
  stale_count        bigint,
  extra_count        bigint,
  altered_count      bigint,
  repaired_count     bigint,
  foreign_writes     bigint not null,
  -- When the count above was last reported higher than before; null: it was always 0.
  foreign_write_time timestamptz,
  software           text not null,
  -- Null: an operator's.
  api_key_id         uuid,
  -- The Site's head at the last report, since what came later the Mirror could not yet tell of.
  report_head        bigint not null,
  create_time        timestamptz not null,
  report_time        timestamptz not null,

  constraint mirrors_pkey primary key (site_id, id),
  constraint mirrors_name_check check (char_length(name) between 1 and 200),
  constraint mirrors_software_check check (char_length(software) <= 200),
  constraint mirrors_state_check check (
    state in ('snapshot', 'live', 'lagging', 'diverged', 'repairing', 'disconnected')
  ),
  constraint mirrors_numbers_check check (
    least(epoch, position, users, checkpoint_users, reconcile_position, missing_count, stale_count,
          extra_count, altered_count, repaired_count, foreign_writes, report_head) >= 0
  ),
  constraint mirrors_sums_check check (
    (users is null) = (xor is null) and (checkpoint_users is null) = (checkpoint_xor is null)
  ),
  constraint mirrors_reconcile_check check (
    num_nonnulls(reconcile_time, reconcile_position, missing_count, stale_count, extra_count,
                 altered_count, repaired_count) in (0, 7)
  )
);

alter table signet.mirrors enable row level security;
alter table signet.mirrors force  row level security;
create policy own_site on signet.mirrors to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
grant select, insert, update, delete on signet.mirrors to signet_app;

-- Whose Session has ended; null for other kinds, and for what ended before this migration, which
-- matters for an hour at most.
alter table signet.revocations add column user_id uuid;

-- Counts the Users who are not in use without a look at those who are, who are the most by far:
-- of these the Site's sums know how many there are.
create index users_idle_states_idx on signet.users (site_id, state) where state <> 'active';

-- Since when the oldest Change of the Site that is committed has waited for its position; null:
-- none waits. It looks where the sequencer looks, and like it must not use a generic plan, which
-- would scan the whole outbox.
create function signet.oldest_waiting_change(wanted_site_id uuid) returns timestamptz
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_custom_plan
as $$
declare
  numbered pg_snapshot := (select s.snapshot from signet.change_state s);
  in_progress xid8[] := array(select pg_snapshot_xip(numbered));
begin
  return (
    select min(w.commit_time)
      from (
        -- Transactions begin in the order of their numbers: the first is the oldest.
        (select o.commit_time from signet.change_outbox o
          where o.xid >= pg_snapshot_xmax(numbered)
            and o.site_id = wanted_site_id and o.user_id is not null
          order by o.xid limit 1)
        union all
        (select o.commit_time from signet.change_outbox o
          where o.xid = any (in_progress)
            and o.site_id = wanted_site_id and o.user_id is not null)
      ) w
  );
end
$$;
alter function signet.oldest_waiting_change(uuid) owner to signet_system;
revoke all on function signet.oldest_waiting_change(uuid) from public;
grant execute on function signet.oldest_waiting_change(uuid) to signet_app;
