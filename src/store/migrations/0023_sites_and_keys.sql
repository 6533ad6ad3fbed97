-- What administers many Sites: their list, their deletion, operator keys, and the use of keys.

-- Keys for whoever runs Signet, beside the one that the environment gives. They belong to no Site;
-- what is done with them is written under the id 00000000-0000-0000-0000-000000000000.
create table signet.operator_keys (
  id            uuid not null,
  key_hash      bytea not null,
  label         text not null,
  create_time   timestamptz not null,
  expire_time   timestamptz,
  last_use_time timestamptz,
  revoke_time   timestamptz,

  constraint operator_keys_pkey primary key (id),
  constraint operator_keys_key_hash_key unique (key_hash)
);
grant select, insert, update (last_use_time, revoke_time) on signet.operator_keys to signet_app;

alter table signet.sites
  -- When the last User of a deleted Site was deleted; until then there is work to do.
  add column erase_time timestamptz,
  add constraint sites_id_check check (id <> '00000000-0000-0000-0000-000000000000'),
  add constraint sites_erase_time_check check (erase_time is null or delete_time is not null);

-- Serve the functions below.
create index sites_erasing_idx on signet.sites (id)
  where delete_time is not null and erase_time is null;
create index sites_name_idx on signet.sites (lower(name) collate "C", id) where delete_time is null;
create index signing_keys_activate_time_idx on signet.signing_keys (activate_time)
  where state = 'current';
create index signing_keys_switch_time_idx on signet.signing_keys (switch_time)
  where state = 'next';
create index signing_keys_retire_time_idx on signet.signing_keys (retire_time)
  where state = 'previous';

-- A page of the Sites in the order of their ids, for operators; empty conditions hold for all.
drop function signet.list_site_ids(uuid, integer);
create function signet.list_sites(
    name_prefix text, of_domain text, after uuid, page_size integer)
  returns table (site signet.sites, domains text[])
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_custom_plan
as $$
begin
  return query
    select s, array(select d.domain from signet.site_domains d
                     where d.site_id = s.id order by d.ordinal)
      from signet.sites s
     where s.delete_time is null
       and (after is null or s.id > after)
       and (name_prefix = ''
            or lower(s.name) collate "C" >= lower(name_prefix) collate "C"
               and lower(s.name) collate "C" < (lower(name_prefix) || U&'\+10FFFF') collate "C")
       and (of_domain = ''
            or s.id = (select d.site_id from signet.site_domains d where d.domain = of_domain))
     order by s.id
     limit page_size;
end
$$;
alter function signet.list_sites(text, text, uuid, integer) owner to signet_system;
revoke all on function signet.list_sites(text, text, uuid, integer) from public;
grant execute on function signet.list_sites(text, text, uuid, integer) to signet_app;

-- Deleted Sites that still have Users to be deleted, the first by id after another.
create function signet.list_erasing_site_ids(after uuid, row_limit integer) returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select s.id
    from signet.sites s
   where s.delete_time is not null and s.erase_time is null
     and (after is null or s.id > after)
   order by s.id
   limit row_limit;
end;
alter function signet.list_erasing_site_ids(uuid, integer) owner to signet_system;
revoke all on function signet.list_erasing_site_ids(uuid, integer) from public;
grant execute on function signet.list_erasing_site_ids(uuid, integer) to signet_app;

-- Each condition by itself, so that each is read from its index: this runs every minute, and
-- mostly finds nothing.
create or replace function signet.sites_with_due_keys(
    activated_before timestamptz, row_limit integer)
  returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select due.site_id
    from (
      (select k.site_id from signet.signing_keys k
        where k.state = 'current' and k.activate_time < activated_before
        order by k.activate_time limit row_limit)
      union
      (select k.site_id from signet.signing_keys k
        where k.state = 'next' and k.switch_time <= now()
        order by k.switch_time limit row_limit)
      union
      (select k.site_id from signet.signing_keys k
        where k.state = 'previous' and k.retire_time <= now()
        order by k.retire_time limit row_limit)
    ) due
   limit row_limit;
end;

-- Notes that keys of any Sites were used, to the minute: many in one statement, since writing with
-- each call would make every call a write. A row that another process notes is left to it.
create policy every_site on signet.api_keys to signet_system using (true);
grant select, update (last_use_time) on signet.api_keys to signet_system;
create function signet.note_key_uses(site_ids uuid[], key_ids uuid[], use_time timestamptz)
  returns bigint
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with used as (
    select k.site_id, k.id
      from unnest(site_ids, key_ids) as given (site_id, id)
      join signet.api_keys k on k.site_id = given.site_id and k.id = given.id
     where k.last_use_time is null or k.last_use_time < date_trunc('minute', use_time)
     order by k.site_id, k.id
       for update of k skip locked
  ), noted as (
    update signet.api_keys k
       set last_use_time = date_trunc('minute', use_time)
      from used u
     where k.site_id = u.site_id and k.id = u.id
    returning 1
  )
  select count(*) from noted;
end;
alter function signet.note_key_uses(uuid[], uuid[], timestamptz) owner to signet_system;
revoke all on function signet.note_key_uses(uuid[], uuid[], timestamptz) from public;
grant execute on function signet.note_key_uses(uuid[], uuid[], timestamptz) to signet_app;

-- Lets no User into a Site that is deleted. The foreign key has locked the Site's row by now, so
-- that whoever is let in is seen by the one who locks the row to finish the deletion.
create function signet.require_open_site() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from (select distinct w.site_id from written w) own
     where not exists (
       select from signet.sites s where s.id = own.site_id and s.delete_time is null)
  ) then
    raise exception 'the Site is deleted'
      using errcode = 'foreign_key_violation', constraint = 'users_site_open';
  end if;
  return null;
end
$$;
alter function signet.require_open_site() owner to signet_system;
revoke all on function signet.require_open_site() from public;
grant execute on function signet.require_open_site() to signet_owner;
create trigger users_site_is_open after insert on signet.users
  referencing new table as written
  for each statement execute function signet.require_open_site();

-- As in 0020, but that an event without a Site says none.
create or replace function signet.audit_record(e signet.audit_events) returns bytea
  language plpgsql stable parallel safe
as $$
declare
  micros constant bigint := extract(epoch from e.create_time) * 1000000;
  actor_kind constant integer := case e.actor_kind
    when 'anonymous' then 1 when 'user' then 2 when 'site_key' then 3
    when 'operator' then 4 when 'system' then 5 when 'peer' then 6 end;
  site_id constant text := case
    when e.site_id = '00000000-0000-0000-0000-000000000000' then '' else e.site_id::text end;
begin
  return signet.protobuf_field(1, convert_to(e.id::text, 'UTF8'))
    || signet.protobuf_field(2, convert_to(site_id, 'UTF8'))
    || signet.protobuf_field(3, convert_to(e.kind, 'UTF8'))
    || signet.protobuf_field(4,
         '\x08'::bytea || signet.protobuf_varint(micros / 1000000)
         || '\x10'::bytea || signet.protobuf_varint(micros % 1000000 * 1000))
    || signet.protobuf_field(5,
         '\x08'::bytea || signet.protobuf_varint(actor_kind)
         || signet.protobuf_field(2, convert_to(e.actor_id, 'UTF8')))
    || signet.protobuf_field(6,
         signet.protobuf_field(1, convert_to(e.subject_kind, 'UTF8'))
         || signet.protobuf_field(2, convert_to(e.subject_id::text, 'UTF8')))
    || signet.protobuf_map(7, e.details)
    || signet.protobuf_map(8, signet.audit_digests(e.salt, e.personal, e.client_ip));
end
$$;
