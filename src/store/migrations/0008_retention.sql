-- What keeps the database from growing for ever. The log goes by whole partitions; tombstones,
-- and what has expired, go in small batches. docs/decisions/0009 says why each may go when.

-- The partitions of the log, by their range: the first position, and the first one after.
create table signet.change_partitions (
  from_pos  bigint primary key,
  until_pos bigint not null,
  name      text not null,
  -- When it was first seen to be full, so that every change in it is older than that.
  full_time timestamptz
);
insert into signet.change_partitions (from_pos, until_pos, name)
select n * 1000000, (n + 1) * 1000000, 'changes_' || n
  from signet.change_state s, generate_series(0, s.log_until / 1000000 - 1) as n;
grant select, insert, update, delete on signet.change_partitions to signet_system;

-- Adds partitions until the log has room for `room` more changes, but for three at most.
create or replace function signet.extend_change_log(room bigint) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  state signet.change_state;
  until bigint;
  partition_name text;
begin
  select * into state from signet.change_state;
  -- A new epoch jumps; what lies between stays without a partition.
  until := greatest(state.log_until, state.head - state.head % state.partition_rows);
  while until < state.head + least(room, 3 * state.partition_rows) loop
    partition_name := 'changes_from_' || until;
    execute format(
      'create table signet.%I (like signet.changes including constraints)', partition_name);
    execute format('alter table signet.%I enable row level security', partition_name);
    execute format('alter table signet.%I force row level security', partition_name);
    execute format(
      'alter table signet.changes attach partition signet.%I for values from (%s) to (%s)',
      partition_name, until, until + state.partition_rows);
    insert into signet.change_partitions (from_pos, until_pos, name)
    values (until, until + state.partition_rows, partition_name);
    until := until + state.partition_rows;
  end loop;
  update signet.change_state set log_until = until;
end
$$;

-- Has new partitions hold so many changes each, and puts such ones in place of those that are
-- still empty. False: something else used the log, and it has to be tried again.
--
-- Whoever waits for a lock on the log holds up all who come after, and so nobody waits long.
create function signet.size_change_partitions(wanted_rows bigint) returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '20ms'
as $$
declare
  empty_name text;
begin
  if wanted_rows = (select s.partition_rows from signet.change_state s) then
    return true;
  end if;
  perform pg_advisory_xact_lock(5678, 1);
  lock table signet.changes in access exclusive mode;
  foreach empty_name in array array(
    select p.name from signet.change_partitions p, signet.change_state s
     where p.from_pos > s.head or s.head = 0)
  loop
    execute format('drop table signet.%I', empty_name);
    delete from signet.change_partitions p where p.name = empty_name;
  end loop;
  update signet.change_state
     set partition_rows = wanted_rows,
         log_until = (select coalesce(max(p.until_pos), 0) from signet.change_partitions p);
  perform signet.extend_change_log(3 * wanted_rows);
  return true;
exception when lock_not_available then
  return false;
end
$$;
alter function signet.size_change_partitions(bigint) owner to signet_system;
revoke all on function signet.size_change_partitions(bigint) from public;
grant execute on function signet.size_change_partitions(bigint) to signet_app;

-- Drops the oldest partition of the log if it has been full for so many days and so many later
-- changes are kept. Returns 1 if it did, 0 if there is nothing to drop, and -1 if something else
-- used the log and it has to be tried again.
--
-- Readers see the partition whole or not at all, and with it go the positions that the oldest
-- position of a Site is read from: none can take the gap for the end of the log.
create function signet.drop_old_changes(kept_days integer, kept_rows bigint) returns integer
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '20ms'
as $$
declare
  head bigint := (select s.head from signet.change_state s);
  oldest signet.change_partitions;
begin
  update signet.change_partitions p
     set full_time = now()
   where p.full_time is null and p.until_pos <= head + 1;

  select * into oldest from signet.change_partitions p order by p.from_pos limit 1;
  if oldest.full_time is null
     or oldest.full_time > now() - make_interval(days => kept_days)
     or head + 1 - oldest.until_pos < kept_rows then
    return 0;
  end if;

  begin
    perform pg_advisory_xact_lock(5678, 1);
    execute format('drop table signet.%I', oldest.name);
    delete from signet.change_partitions p where p.from_pos = oldest.from_pos;
    return 1;
  exception when lock_not_available then
    return -1;
  end;
end
$$;
alter function signet.drop_old_changes(integer, bigint) owner to signet_system;
revoke all on function signet.drop_old_changes(integer, bigint) from public;
grant execute on function signet.drop_old_changes(integer, bigint) to signet_app;

-- The version that a new User of the Site takes: above those of earlier epochs, and above those
-- of every User that was deleted, whose id may be used again.
create function signet.first_version(of_site_id uuid) returns bigint
  language sql stable set search_path = pg_catalog, pg_temp
return (
  select greatest(
    signet.version_floor(),
    (select h.deleted_version from signet.site_heads h where h.site_id = of_site_id)) + 1);
grant execute on function signet.first_version(uuid) to signet_app, signet_system;
grant execute on function signet.version_floor() to signet_system;

-- Serve the statements below.
create index users_delete_time_idx on signet.users (delete_time) where state = 'deleted';
create index one_time_tokens_expire_time_idx on signet.one_time_tokens (expire_time);
create index sessions_user_idx on signet.sessions (site_id, user_id);
-- Without `idle_expire_time`, which each refresh of a Session moves.
create index sessions_over_idx on signet.sessions (least(end_time, absolute_expire_time));

create policy every_site on signet.sessions to signet_system using (true);
create policy every_site on signet.refresh_tokens to signet_system using (true);
create policy every_site on signet.one_time_tokens to signet_system using (true);
grant delete on signet.users to signet_system;
grant select, delete on signet.sessions, signet.refresh_tokens, signet.one_time_tokens
  to signet_system;

-- Removes tombstones of Users who were deleted so many days ago, at most `row_count`; returns
-- how many. Only those whose version new Users of the Site begin above, and that have no Session
-- left: the next function removes Sessions, in batches of their own.
create function signet.remove_tombstones(kept_days integer, row_count integer) returns bigint
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with old as (
    select u.site_id, u.id
      from signet.users u
     where u.state = 'deleted' and u.delete_time < now() - make_interval(days => kept_days)
       and u.version < signet.first_version(u.site_id)
       and not exists (select from signet.sessions s
                        where s.site_id = u.site_id and s.user_id = u.id)
     order by u.delete_time
     limit row_count
  ), removed as (
    delete from signet.users u
     using old
     where u.site_id = old.site_id and u.id = old.id and u.state = 'deleted'
    returning 1
  )
  select count(*) from removed;
end;
alter function signet.remove_tombstones(integer, integer) owner to signet_system;
revoke all on function signet.remove_tombstones(integer, integer) from public;
grant execute on function signet.remove_tombstones(integer, integer) to signet_app;

-- Removes what has expired, at most `row_count` of each kind, and returns how many in all. A
-- Session may have thousands of used refresh tokens, and so goes after them.
create function signet.remove_expired(kept_days integer, row_count integer) returns bigint
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with revocations as (
    delete from signet.revocations r
     using (select e.site_id, e.kind, e.subject_id from signet.revocations e
             where e.expire_time < now() - interval '1 hour'
             order by e.expire_time limit row_count) old
     where r.site_id = old.site_id and r.kind = old.kind and r.subject_id = old.subject_id
       and r.expire_time < now() - interval '1 hour'
    returning 1
  ), one_time_tokens as (
    delete from signet.one_time_tokens t
     using (select e.site_id, e.token_hash from signet.one_time_tokens e
             where e.expire_time < now() - make_interval(days => kept_days)
             order by e.expire_time limit row_count) old
     where t.site_id = old.site_id and t.token_hash = old.token_hash
    returning 1
  ), over as materialized (
    select s.site_id, s.id from signet.sessions s
     where least(s.end_time, s.absolute_expire_time) < now() - make_interval(days => kept_days)
     order by least(s.end_time, s.absolute_expire_time) limit row_count
  ), refresh_tokens as (
    delete from signet.refresh_tokens t
     using (select e.site_id, e.token_hash from over o
              join signet.refresh_tokens e on e.site_id = o.site_id and e.session_id = o.id
             limit row_count) old
     where t.site_id = old.site_id and t.token_hash = old.token_hash
    returning 1
  ), sessions as (
    delete from signet.sessions s
     using over o
     where s.site_id = o.site_id and s.id = o.id
       and not exists (select from signet.refresh_tokens t
                        where t.site_id = s.site_id and t.session_id = s.id)
    returning 1
  )
  select (select count(*) from revocations) + (select count(*) from one_time_tokens)
       + (select count(*) from refresh_tokens) + (select count(*) from sessions);
end;
alter function signet.remove_expired(integer, integer) owner to signet_system;
revoke all on function signet.remove_expired(integer, integer) from public;
grant execute on function signet.remove_expired(integer, integer) to signet_app;
