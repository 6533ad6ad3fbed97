-- The writer numbers its own changes where nobody else is writing.
--
-- A change that is numbered by its own transaction reaches subscribers one commit earlier: all
-- that is left to do after its commit is to read it. docs/decisions/0004 says when that is right.

drop function signet.sequence_changes();

-- Tells whether a state was written in this database; `check_epoch` says how that is known.
create function signet.is_database(state signet.change_state) returns boolean
  language sql volatile set search_path = pg_catalog, pg_temp
begin atomic
  select (state.system_identifier, state.timeline_id, state.database_oid) is not distinct from (
    (select c.system_identifier from pg_control_system() c),
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer,
    (select d.oid from pg_database d where d.datname = current_database()));
end;
alter function signet.is_database(signet.change_state) owner to signet_system;
revoke all on function signet.is_database(signet.change_state) from public;

-- Numbers the changes that have become visible since the last call, at most `rows_max` of them, and
-- those of the transaction itself. Returns how many, or -1 while another process does it.
--
-- Each statement of a volatile function sees its own snapshot, and that is what makes this right:
-- first the lock alone, then the state as the last holder committed it, then discovery, insertion
-- and the snapshot to be stored in ONE statement. Whether this is still the same database is asked
-- before, so that none is numbered under the epoch of another. What the look ahead finds is there
-- already; what it does not find, the next step does.
--
-- The rows of the transaction itself leave the outbox at once: its snapshots do not tell it from
-- those that are over, or are yet to begin.
create function signet.sequence_changes(rows_max bigint default 10000) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  -- Servers before 18 take a scan that is ruled out for one that costs a fortune.
  set jit = off
as $$
declare
  previous signet.change_state;
  known text;
  in_progress xid8[];
  counted bigint;
  any_deleted boolean;
  seen pg_snapshot;
begin
  if pg_is_in_recovery() or not pg_try_advisory_xact_lock(5678, 1) then
    return -1;
  end if;
  select * into previous from signet.change_state;
  known := format('%s %s %s',
    previous.system_identifier, previous.timeline_id, previous.database_oid);
  if known is distinct from current_setting('signet.known_database', true) then
    perform signet.check_epoch();
    select * into previous from signet.change_state;
    known := format('%s %s %s',
      previous.system_identifier, previous.timeline_id, previous.database_oid);
    perform set_config('signet.known_database', known, false);
  end if;
  in_progress := array(select pg_snapshot_xip(previous.snapshot));
  -- Nothing to number is the common case, and costs a third of the statement below.
  if not previous.behind
     and pg_snapshot_xmax(pg_current_snapshot())::text::bigint
         <= pg_snapshot_xmax(previous.snapshot)::text::bigint + 1000
     and not exists (
       select from signet.change_outbox o where o.xid >= pg_snapshot_xmax(previous.snapshot))
     and not exists (select from signet.change_outbox o where o.xid = any (in_progress)) then
    return 0;
  end if;

  with taken as materialized (
    select pg_current_snapshot() as snapshot
  ), fresh as materialized (
    select f.*,
           case when f.user_id is not null then
             (f.previous_version is null)::integer - (f.kind = 'user_deleted')::integer
           end as users,
           case when f.user_id is not null then
             case when f.previous_version is null then 0
                  else signet.user_digest(f.user_id, f.previous_version) end
             # case when f.kind = 'user_deleted' then 0
                    else signet.user_digest(f.user_id, f.version) end
           end as xor
      from (
        select * from (
          select o.* from signet.change_outbox o where o.xid >= pg_snapshot_xmax(previous.snapshot)
          union all
          select o.* from signet.change_outbox o where o.xid = any (in_progress)
        ) visible
        order by seq
        limit rows_max
      ) f
  ), removed as (
    delete from signet.change_outbox o
     using fresh f
     where o.xid = f.xid and o.seq = f.seq
       and (o.xid = pg_current_xact_id_if_assigned() or (select count(*) from fresh) = rows_max)
  ), moved as (
    insert into signet.site_heads as h (site_id, position, users, xor, deleted_version)
    select f.site_id, count(*), sum(f.users), bit_xor(f.xor),
           coalesce(max(f.version) filter (where f.kind = 'user_deleted'), 0)
      from fresh f
     where f.user_id is not null
     group by f.site_id
        on conflict (site_id) do update
       set position = h.position + excluded.position,
           users    = h.users + excluded.users,
           xor      = h.xor # excluded.xor,
           deleted_version = greatest(h.deleted_version, excluded.deleted_version)
    returning h.site_id, h.position, h.users, h.xor
  ), numbered as (
    select f.*,
           row_number() over (order by f.seq) as n,
           count(f.user_id) over later as count_left,
           coalesce(sum(f.users) over later, 0) as users_left,
           coalesce(bit_xor(f.xor) over later, 0) as xor_left
      from fresh f
    window later as (partition by f.site_id order by f.seq desc
                     rows between unbounded preceding and 1 preceding)
  ), put as (
    insert into signet.changes
           (pos, site_id, position, kind, further_kinds, user_id, version, subject_id,
            generation, expire_time, body, bulk, commit_time, users, xor)
    select previous.head + n.n, n.site_id,
           case when n.user_id is not null then m.position - n.count_left end,
           n.kind, n.further_kinds, n.user_id, n.version, n.subject_id,
           n.generation, n.expire_time, n.body, n.bulk, n.commit_time,
           case when n.user_id is not null then m.users - n.users_left end,
           case when n.user_id is not null then m.xor # n.xor_left end
      from numbered n
      left join moved m on m.site_id = n.site_id
    returning 1
  )
  select (select count(*) from put), (select bool_or(f.kind = 'user_deleted') from fresh f),
         t.snapshot
    into counted, any_deleted, seen
    from taken t;

  -- The old snapshot stays good while nothing is found. It moves on now and then all the same,
  -- so that the outbox can be trimmed; not each time, since the update draws an xid itself. And
  -- it moves on after the last part of a backlog, whose dead rows lie ahead of the old one.
  if counted > 0 or previous.behind
     or pg_snapshot_xmax(seen)::text::bigint
        > pg_snapshot_xmax(previous.snapshot)::text::bigint + 1000 then
    update signet.change_state
       set head = head + counted,
           snapshot = case when counted = rows_max then snapshot else seen end,
           behind = counted = rows_max;
  end if;
  -- A deleted User's personal data leaves the log as well, in place, and the outbox, where
  -- every earlier change of the User was numbered with or before the deletion.
  if any_deleted then
    update signet.changes c set body = null
      from signet.changes d
     where d.pos > previous.head and d.kind = 'user_deleted'
       and c.site_id = d.site_id and c.user_id = d.user_id
       and c.version < d.version and c.body is not null;
    delete from signet.change_outbox o
     using signet.changes d
     where d.pos > previous.head and d.kind = 'user_deleted'
       and o.site_id = d.site_id and o.user_id = d.user_id and o.version < d.version;
  end if;
  if previous.log_until < previous.head + counted + 2 * previous.partition_rows then
    perform signet.extend_change_log(3 * previous.partition_rows);
  end if;
  return counted;
end
$$;

alter function signet.sequence_changes(bigint) owner to signet_system;
revoke all on function signet.sequence_changes(bigint) from public;

-- Numbers the changes of the transaction that is about to commit, as its last statement; returns
-- what has come into the log, as `follow_changes` does, for the reader of the same process. They
-- are left to the next step where this would not do: while another numbers, under a snapshot that
-- does not move on, and where more is due than numbering: a new epoch, a backlog, a partition.
create function signet.sequence_own_changes()
  returns table (
    sequenced bigint, epoch bigint, head bigint,
    pos bigint, site_id uuid, "position" bigint, kind text, further_kinds text[],
    user_id uuid, version bigint, subject_id uuid, generation bigint, expire_time timestamptz,
    body bytea, bulk boolean,
    commit_time timestamptz, users bigint, xor bigint)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  set jit = off
as $$
declare
  state signet.change_state;
  known text;
  counted bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed'
     or not pg_try_advisory_xact_lock(5678, 1) then
    return;
  end if;
  select * into state from signet.change_state;
  known := format('%s %s %s', state.system_identifier, state.timeline_id, state.database_oid);
  if known is distinct from current_setting('signet.known_database', true) then
    if not signet.is_database(state) then
      return;
    end if;
    perform set_config('signet.known_database', known, false);
  end if;
  if state.behind or state.log_until <= state.head + 2 * state.partition_rows + 10000 then
    return;
  end if;
  counted := signet.sequence_changes(100);
  return query
    select counted, state.epoch, state.head + counted,
           c.pos, c.site_id, c.position, c.kind, c.further_kinds, c.user_id, c.version,
           c.subject_id, c.generation, c.expire_time, c.body, c.bulk, c.commit_time,
           c.users, c.xor
      from signet.changes c
     where c.pos > state.head and c.pos <= state.head + counted
     order by c.pos;
end
$$;
alter function signet.sequence_own_changes() owner to signet_system;
revoke all on function signet.sequence_own_changes() from public;
grant execute on function signet.sequence_own_changes() to signet_app;
