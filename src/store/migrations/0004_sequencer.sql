-- The sequencer, and what reads and keeps the log. docs/decisions/0004 says why it is as it is.

-- The sequencer creates partitions, which only the owner of the table may.
alter table signet.changes owner to signet_system;

-- 64 bits that stand for one state of one User; docs/decisions/0004.
create function signet.user_digest(user_id uuid, version bigint) returns bigint
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp
return ('x' || encode(substr(sha256(uuid_send(user_id) || int8send(version)), 1, 8), 'hex'))
  ::bit(64)::bigint;

-- Adds partitions until the log has room for `room` more changes.
create function signet.extend_change_log(room bigint) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  partition_rows constant bigint := 1000000;
  state signet.change_state;
  partition_name text;
begin
  select * into state from signet.change_state;
  while state.log_until < state.head + room loop
    partition_name := 'changes_' || state.log_until / partition_rows;
    execute format(
      'create table signet.%I (like signet.changes including constraints)', partition_name);
    execute format('alter table signet.%I enable row level security', partition_name);
    execute format('alter table signet.%I force row level security', partition_name);
    execute format(
      'alter table signet.changes attach partition signet.%I for values from (%s) to (%s)',
      partition_name, state.log_until, state.log_until + partition_rows);
    state.log_until := state.log_until + partition_rows;
  end loop;
  update signet.change_state set log_until = state.log_until;
end
$$;
alter function signet.extend_change_log(bigint) owner to signet_system;
revoke all on function signet.extend_change_log(bigint) from public;
grant execute on function signet.extend_change_log(bigint) to signet_owner;

-- Numbers the changes that have become visible since the last call. Returns how many, or -1
-- while another process does it.
--
-- Each statement of a volatile function sees its own snapshot, and that is what makes this
-- right: first the lock alone, then the state as the last holder committed it, then
-- discovery, insertion and the snapshot to be stored in ONE statement. Whether this is still
-- the same database is asked before, so that none is numbered under the epoch of another.
--
-- A backlog is numbered 10,000 at a time, since one that takes longer than a statement may
-- would never be numbered at all. Then the old snapshot stays, and what it would find again
-- leaves the outbox at once.
create function signet.sequence_changes() returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  -- A generic plan for `xid >= $1` scans the whole outbox.
  set plan_cache_mode = force_custom_plan
as $$
declare
  rows_max constant bigint := 10000;
  previous signet.change_state;
  in_progress xid8[];
  counted bigint;
  seen pg_snapshot;
begin
  if pg_is_in_recovery() or not pg_try_advisory_xact_lock(5678, 1) then
    return -1;
  end if;
  perform signet.check_epoch();

  select * into previous from signet.change_state;
  in_progress := array(select pg_snapshot_xip(previous.snapshot));

  with taken as materialized (
    select pg_current_snapshot() as snapshot
  ), fresh as materialized (
    select * from (
      select o.* from signet.change_outbox o where o.xid >= pg_snapshot_xmax(previous.snapshot)
      union all
      select o.* from signet.change_outbox o where o.xid = any (in_progress)
    ) f
    order by f.seq
    limit rows_max
  ), removed as (
    delete from signet.change_outbox o
     using fresh f
     where o.xid = f.xid and o.seq = f.seq and (select count(*) from fresh) = rows_max
  ), numbered as (
    select f.*,
           row_number() over (order by f.seq) as n,
           count(f.user_id) over (partition by f.site_id order by f.seq) as site_n,
           count(f.user_id) over (partition by f.site_id) as site_count
      from fresh f
  ), moved as (
    insert into signet.site_heads as h (site_id, position, users, xor)
    select f.site_id,
           count(*),
           count(*) filter (where f.previous_version is null)
             - count(*) filter (where f.kind = 'user_deleted'),
           bit_xor(
             case when f.previous_version is null then 0
                  else signet.user_digest(f.user_id, f.previous_version) end
             # case when f.kind = 'user_deleted' then 0
                    else signet.user_digest(f.user_id, f.version) end)
      from fresh f
     where f.user_id is not null
     group by f.site_id
        on conflict (site_id) do update
       set position = h.position + excluded.position,
           users    = h.users + excluded.users,
           xor      = h.xor # excluded.xor
    returning h.site_id, h.position
  ), put as (
    insert into signet.changes
           (pos, site_id, position, kind, further_kinds, user_id, version, subject_id,
            generation, expire_time, body, bulk, commit_time)
    select previous.head + n.n, n.site_id,
           case when n.user_id is not null then m.position - n.site_count + n.site_n end,
           n.kind, n.further_kinds, n.user_id, n.version, n.subject_id,
           n.generation, n.expire_time, n.body, n.bulk, n.commit_time
      from numbered n
      left join moved m on m.site_id = n.site_id
    returning 1
  )
  select (select count(*) from put), t.snapshot into counted, seen from taken t;

  -- The old snapshot stays good while nothing is found. It moves on now and then all the same,
  -- so that the outbox can be trimmed; not each time, since the update draws an xid itself.
  if counted > 0
     or pg_snapshot_xmax(seen)::text::bigint
        > pg_snapshot_xmax(previous.snapshot)::text::bigint + 1000 then
    update signet.change_state
       set head = head + counted,
           snapshot = case when counted = rows_max then snapshot else seen end;
  end if;
  -- A deleted User's personal data leaves the log as well, in place.
  if counted > 0 then
    update signet.changes c set body = null
      from signet.changes d
     where d.pos > previous.head and d.kind = 'user_deleted'
       and c.site_id = d.site_id and c.user_id = d.user_id
       and c.version < d.version and c.body is not null;
  end if;
  if previous.log_until < previous.head + counted + 2000000 then
    perform signet.extend_change_log(3000000);
  end if;
  return counted;
end
$$;
alter function signet.sequence_changes() owner to signet_system;
revoke all on function signet.sequence_changes() from public;

-- Sequences, then returns what comes after `after_pos`, over all Sites, with the state at
-- that instant; one row with null `pos` when nothing does. For the reader of each process.
create function signet.follow_changes(after_pos bigint, row_count integer)
  returns table (
    sequenced bigint, epoch bigint, head bigint,
    pos bigint, site_id uuid, "position" bigint, kind text, further_kinds text[],
    user_id uuid, version bigint, subject_id uuid, generation bigint, expire_time timestamptz,
    body bytea, bulk boolean,
    commit_time timestamptz)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_custom_plan
as $$
declare
  counted bigint := signet.sequence_changes();
begin
  return query
    select counted, s.epoch, s.head,
           c.pos, c.site_id, c.position, c.kind, c.further_kinds, c.user_id, c.version,
           c.subject_id, c.generation, c.expire_time, c.body, c.bulk, c.commit_time
      from signet.change_state s
      left join lateral (
        select l.* from signet.changes l
         where l.pos > after_pos and l.pos <= s.head
         order by l.pos limit row_count) c on true
     order by c.pos;
end
$$;
alter function signet.follow_changes(bigint, integer) owner to signet_system;
revoke all on function signet.follow_changes(bigint, integer) from public;
grant execute on function signet.follow_changes(bigint, integer) to signet_app;

-- What a version must exceed in this epoch: versions never repeat after a restore, because
-- the epoch fills their high bits. 26 bits are left for the changes of one User.
create function signet.version_floor() returns bigint
  language sql stable set search_path = pg_catalog, pg_temp
return (select (s.epoch - 1) << 26 from signet.change_state s);
grant execute on function signet.version_floor() to signet_app;

-- Starts a new epoch; the caller holds the sequencer's lock.
--
-- Its number is the minutes since 2026 where those are more, since the same backup can be
-- restored twice: by counting alone the second time would repeat the versions and positions of
-- the first.
create function signet.begin_epoch() returns void
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
  delete from signet.change_outbox;
  -- One statement, and so one snapshot: what the sums hold is not numbered again. The head
  -- jumps by a gap that no reader can take for a continuation.
  with rebased as (
    update signet.change_state
       set epoch = greatest(epoch + 1, extract(epoch from now() - '2026-01-01Z') ::bigint / 60),
           head = head + 1000000, snapshot = pg_current_snapshot()
  )
  insert into signet.site_heads as h (site_id, position, users, xor)
  select u.site_id, 0, count(*) filter (where u.state <> 'deleted'),
         coalesce(bit_xor(signet.user_digest(u.id, u.version))
                    filter (where u.state <> 'deleted'), 0)
    from signet.users u
   group by u.site_id
      on conflict (site_id) do update set users = excluded.users, xor = excluded.xor;
  perform signet.extend_change_log(3000000);
end
$$;
alter function signet.begin_epoch() owner to signet_system;
revoke all on function signet.begin_epoch() from public;

-- Takes a new epoch if this is not the database that the state was written in: a restored
-- backup, a promoted standby, a dump loaded elsewhere. History may have been taken back
-- there, so that positions mean something else. Returns the epoch in force.
--
-- The timeline is read from the log of the server: its control file tells of a promotion only
-- after the next checkpoint.
create function signet.check_epoch() returns bigint
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  state signet.change_state;
  found_identifier bigint := (select system_identifier from pg_control_system());
  found_timeline integer :=
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
  found_oid oid := (select oid from pg_database where datname = current_database());
begin
  select * into state from signet.change_state;
  if (state.system_identifier, state.timeline_id, state.database_oid)
     is not distinct from (found_identifier, found_timeline, found_oid) then
    return state.epoch;
  end if;

  perform pg_advisory_xact_lock(5678, 1);
  select * into state from signet.change_state;
  if state.system_identifier is not null and
     (state.system_identifier, state.timeline_id, state.database_oid)
     is distinct from (found_identifier, found_timeline, found_oid) then
    perform signet.begin_epoch();
  end if;
  update signet.change_state
     set system_identifier = found_identifier, timeline_id = found_timeline,
         database_oid = found_oid
  returning epoch into state.epoch;
  return state.epoch;
end
$$;
alter function signet.check_epoch() owner to signet_system;
revoke all on function signet.check_epoch() from public;
grant execute on function signet.check_epoch() to signet_app;

-- Deletes what the sequencer will never look at again: whatever its snapshot sees has been
-- numbered. A transaction that stays open keeps nothing here but its own rows. Called about
-- once a minute.
create function signet.trim_change_outbox() returns bigint
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with trimmed as (
    delete from signet.change_outbox o
     using signet.change_state s
     where o.xid < pg_snapshot_xmax(s.snapshot)
       and pg_visible_in_snapshot(o.xid, s.snapshot)
    returning 1
  )
  select count(*) from trimmed;
end;
alter function signet.trim_change_outbox() owner to signet_system;
revoke all on function signet.trim_change_outbox() from public;
grant execute on function signet.trim_change_outbox() to signet_app;

-- The revocations of all Sites that still matter, for a process that starts.
create function signet.live_revocations()
  returns table (site_id uuid, kind text, subject_id uuid, generation bigint,
                 expire_time timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select r.site_id, r.kind, r.subject_id, r.generation, r.expire_time
    from signet.revocations r
   where r.expire_time > now();
end;
alter function signet.live_revocations() owner to signet_system;
revoke all on function signet.live_revocations() from public;
grant execute on function signet.live_revocations() to signet_app;

insert into signet.change_state (epoch, head, snapshot, log_until)
values (1, 0, pg_current_snapshot(), 0);
select signet.extend_change_log(3000000);
