-- What each row of the log makes of its Site, so that a checkpoint at any position can say how
-- many Users a Mirror should hold, and which, without a query.

-- The Site's live Users after the change, and their digests combined; null for what is not a
-- change of a User, and for what was numbered before this migration.
alter table signet.changes add column users bigint, add column xor bigint;

-- Whether the last step numbered a part of a backlog, so that more may be left; and how many
-- changes a new partition holds, at least 10,000.
alter table signet.change_state
  add column behind boolean not null default false,
  add column partition_rows bigint not null default 1000000 check (partition_rows >= 10000);

-- The highest version of a deleted User. New Users begin above it, so that an id whose tombstone
-- is gone can be used again: docs/decisions/0009.
alter table signet.site_heads add column deleted_version bigint not null default 0;
update signet.site_heads h
   set deleted_version = (select coalesce(max(u.version), 0) from signet.users u
                           where u.site_id = h.site_id and u.state = 'deleted');

-- Serves the erasure of a deleted User's personal data.
create index change_outbox_user_idx on signet.change_outbox (user_id) where user_id is not null;

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
--
-- The sums of a row are those of its Site after the batch, with what the rest of the batch did
-- taken back: no batch needs to know what the last one left.
create or replace function signet.sequence_changes() returns bigint
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
  select (select count(*) from put), t.snapshot into counted, seen from taken t;

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
  if counted > 0 then
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

-- Sequences, then returns what comes after `after_pos`, over all Sites, with the state at
-- that instant; one row with null `pos` when nothing does. For the reader of each process.
drop function signet.follow_changes(bigint, integer);
create function signet.follow_changes(after_pos bigint, row_count integer)
  returns table (
    sequenced bigint, epoch bigint, head bigint,
    pos bigint, site_id uuid, "position" bigint, kind text, further_kinds text[],
    user_id uuid, version bigint, subject_id uuid, generation bigint, expire_time timestamptz,
    body bytea, bulk boolean,
    commit_time timestamptz, users bigint, xor bigint)
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
           c.subject_id, c.generation, c.expire_time, c.body, c.bulk, c.commit_time,
           c.users, c.xor
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
