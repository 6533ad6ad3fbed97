-- A step of the sequencer does no more than it has to, since each commit waits for one.
--
-- Whether this is still the same database is asked once in each session, and again when the state
-- says otherwise: what tells it from another (identifier, timeline, oid) cannot change under a
-- session that may write. Erasing what is personal costs two statements over all partitions of
-- the log: they run only where a User was deleted. And servers before 18 would compile plans.

create or replace function signet.sequence_changes() returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  -- Servers before 18 take a scan that is ruled out for one that costs a fortune.
  set jit = off
as $$
declare
  rows_max constant bigint := 10000;
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
     where o.xid = f.xid and o.seq = f.seq and (select count(*) from fresh) = rows_max
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

alter function signet.follow_changes(bigint, integer) set jit = off;
