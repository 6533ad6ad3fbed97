-- How the audit events are linked, and their clear values erased: the functions over the tables of
-- 0020. docs/decisions/0014 says why so.

-- Has the chaining begin anew in the numbering of another database, such as one that a dump was
-- loaded into. What was not linked there is still told by the old snapshot; it becomes this
-- transaction's own.
create function signet.rebase_audit_chain(system_identifier bigint, database_oid oid)
  returns void
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  -- Taken before this transaction has a number of its own, which therefore comes after it.
  began pg_snapshot := pg_current_snapshot();
  state signet.audit_state;
begin
  perform pg_advisory_xact_lock(5678, 2);
  select * into state from signet.audit_state;
  if (state.system_identifier, state.database_oid)
     is not distinct from (system_identifier, database_oid) then
    return;
  end if;
  if state.system_identifier is not null then
    update signet.audit_events e
       set xid = pg_current_xact_id()
     where (e.xid >= pg_snapshot_xmax(state.snapshot)
            or e.xid = any (array(select pg_snapshot_xip(state.snapshot))))
       and not exists (select from signet.audit_links l
                        where l.site_id = e.site_id and l.event_id = e.id);
    state.snapshot := began;
  end if;
  update signet.audit_state s
     set snapshot = state.snapshot, target = null, xid = '0', seq = 0,
         system_identifier = rebase_audit_chain.system_identifier,
         database_oid = rebase_audit_chain.database_oid;
end
$$;
alter function signet.rebase_audit_chain(bigint, oid) owner to signet_system;
revoke all on function signet.rebase_audit_chain(bigint, oid) from public;

-- Removes the clear values beside at most `row_count` events by or about a deleted User; returns
-- how many. Their digests stay in the chain, and tell nothing without the salt.
create function signet.remove_audit_personal(of_site_id uuid, of_user_id uuid, row_count bigint)
  returns bigint
  language sql volatile set search_path = pg_catalog, pg_temp
begin atomic
  with found as (
    (select e.id from signet.audit_events e
      where e.site_id = of_site_id and e.subject_id = of_user_id
        and (e.personal is not null or e.client_ip <> '')
      limit row_count)
    union
    (select e.id from signet.audit_events e
      where e.site_id = of_site_id and e.actor_id <> '' and e.actor_id = of_user_id::text
        and (e.personal is not null or e.client_ip <> '')
      limit row_count)
  ), removed as (
    update signet.audit_events e
       set personal = null, client_ip = '', salt = null
      from found f
     where e.site_id = of_site_id and e.id = f.id
    returning 1
  )
  select count(*) from removed;
end;
alter function signet.remove_audit_personal(uuid, uuid, bigint) owner to signet_system;
revoke all on function signet.remove_audit_personal(uuid, uuid, bigint) from public;

-- The erasure, in the transaction that deletes a User of the Site: the only way in which the
-- application alters the audit log. What is beyond `row_count` the chaining removes.
create function signet.erase_audit_personal(of_user_id uuid, row_count bigint) returns bigint
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  own_site_id uuid := current_setting('signet.site_id')::uuid;
begin
  if not exists (select from signet.users u
                  where u.site_id = own_site_id and u.id = of_user_id and u.state = 'deleted') then
    raise exception 'the User is not deleted' using errcode = 'insufficient_privilege';
  end if;
  insert into signet.audit_erasures (site_id, user_id) values (own_site_id, of_user_id)
      on conflict do nothing;
  return signet.remove_audit_personal(own_site_id, of_user_id, row_count);
end
$$;
alter function signet.erase_audit_personal(uuid, bigint) owner to signet_system;
revoke all on function signet.erase_audit_personal(uuid, bigint) from public;
grant execute on function signet.erase_audit_personal(uuid, bigint) to signet_app;

-- Goes on with at most 100 erasures; each is over once little is left. Returns how many values
-- it has removed, about `row_count` at most.
create function signet.continue_audit_erasures(row_count bigint) returns bigint
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  next signet.audit_erasures;
  removed bigint;
  total bigint := 0;
begin
  for next in select * from signet.audit_erasures limit 100 loop
    removed := signet.remove_audit_personal(next.site_id, next.user_id, row_count);
    total := total + removed;
    if removed < row_count then
      delete from signet.audit_erasures e
       where e.site_id = next.site_id and e.user_id = next.user_id;
    end if;
    exit when total >= row_count;
  end loop;
  return total;
end
$$;
alter function signet.continue_audit_erasures(bigint) owner to signet_system;
revoke all on function signet.continue_audit_erasures(bigint) from public;

-- Links at most `row_count` events that have become visible since the last call, in all Sites,
-- and removes about so many clear values that are to be erased. Another call is due where it
-- returns `row_count` or more; -1 while another process does it.
--
-- As with the sequencer, what is new is the difference of two snapshots, so that a transaction
-- that stays open holds nothing up: docs/decisions/0004. Here nothing leaves the table, and a
-- backlog is walked by transaction and row towards a snapshot that stays the same.
create function signet.chain_audit_events(row_count bigint) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  -- Plans are made once for each connection, and without knowing that few rows are new.
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  found_identifier bigint := (select c.system_identifier from pg_control_system() c);
  found_oid oid := (select d.oid from pg_database d where d.datname = current_database());
  state signet.audit_state;
  in_progress xid8[];
  is_backlog boolean;
  counted bigint;
  last_xid xid8;
  last_seq bigint;
begin
  if pg_is_in_recovery() then
    return -1;
  end if;
  select * into state from signet.audit_state;
  if (state.system_identifier, state.database_oid)
     is distinct from (found_identifier, found_oid) then
    perform signet.rebase_audit_chain(found_identifier, found_oid);
  elsif not pg_try_advisory_xact_lock(5678, 2) then
    return -1;
  end if;

  select * into state from signet.audit_state; -- As the last holder of the lock left it.
  -- Each later statement sees at least what this one does.
  is_backlog := state.target is not null;
  if not is_backlog then
    state.target := pg_current_snapshot();
  end if;
  in_progress := array(select pg_snapshot_xip(state.snapshot));

  with fresh as materialized (
    select v.xid, v.seq, (v.event).site_id, (v.event).id, (v.event).subject_id,
           case (v.event).actor_kind when 'user' then (v.event).actor_id::uuid end as actor_id,
           (v.event).personal is not null or (v.event).client_ip <> '' as is_personal,
           signet.audit_record(v.event) as record
      from (
        select * from (
          (select o as event, o.xid, o.seq from signet.audit_events o
            where o.xid >= pg_snapshot_xmax(state.snapshot)
              and o.xid < pg_snapshot_xmax(state.target)
              and (o.xid, o.seq) > (state.xid, state.seq)
              and pg_visible_in_snapshot(o.xid, state.target)
            order by o.xid, o.seq limit row_count)
          union all
          (select o as event, o.xid, o.seq from signet.audit_events o
            where o.xid = any (in_progress)
              and (o.xid, o.seq) > (state.xid, state.seq)
              and pg_visible_in_snapshot(o.xid, state.target)
            order by o.xid, o.seq limit row_count)
        ) visible
        order by xid, seq
        limit row_count
      ) v
  ), linked as (
    select f.*,
           coalesce(h.sequence, 0) + row_number() over site as sequence,
           coalesce(h.hash, decode(repeat('00', 32), 'hex')) as head,
           signet.audit_hash(coalesce(h.hash, decode(repeat('00', 32), 'hex')), f.record)
             over site as hash
      from fresh f
      left join signet.audit_heads h on h.site_id = f.site_id
     where not exists (select from signet.audit_links l
                        where l.site_id = f.site_id and l.event_id = f.id)
    window site as (partition by f.site_id order by f.seq)
  ), put as (
    insert into signet.audit_links (site_id, sequence, event_id, record, previous_hash, hash)
    select l.site_id, l.sequence, l.id, l.record,
           coalesce(lag(l.hash) over (partition by l.site_id order by l.sequence), l.head), l.hash
      from linked l
  ), moved as (
    insert into signet.audit_heads (site_id, sequence, hash)
    select distinct on (l.site_id) l.site_id, l.sequence, l.hash
      from linked l
     order by l.site_id, l.sequence desc
        on conflict (site_id) do update
       set sequence = excluded.sequence, hash = excluded.hash
  ), late as (
    -- Who wrote of a User while that was deleted has left values that nobody would erase.
    insert into signet.audit_erasures (site_id, user_id)
    select f.site_id, u.id
      from fresh f
      join signet.users u on u.site_id = f.site_id and u.id = f.subject_id
     where f.is_personal and u.state = 'deleted'
     union
    select f.site_id, u.id
      from fresh f
      join signet.users u on u.site_id = f.site_id and u.id = f.actor_id
     where f.is_personal and u.state = 'deleted'
        on conflict do nothing
  )
  select count(*), (array_agg(f.xid order by f.xid desc, f.seq desc))[1],
         (array_agg(f.seq order by f.xid desc, f.seq desc))[1]
    into counted, last_xid, last_seq
    from fresh f;

  if counted = row_count then
    update signet.audit_state s
       set target = state.target, xid = last_xid, seq = last_seq;
  elsif counted > 0 or is_backlog then
    update signet.audit_state s
       set snapshot = state.target, target = null, xid = '0', seq = 0;
  end if;
  counted := counted + signet.continue_audit_erasures(row_count);
  -- The end of a backlog is not the end of the log.
  return case when is_backlog then greatest(counted, row_count) else counted end;
end
$$;
alter function signet.chain_audit_events(bigint) owner to signet_system;
revoke all on function signet.chain_audit_events(bigint) from public;
grant execute on function signet.chain_audit_events(bigint) to signet_app;
