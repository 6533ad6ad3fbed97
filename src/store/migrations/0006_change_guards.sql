-- No code path can change a User and forget the change, whatever role it runs under.

-- Refuses a statement that changes a User without putting the change into the outbox, or
-- without raising its version: no code path can forget either.
create function signet.require_change_of_user() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from written w
     where not exists (
       select from signet.change_outbox o
        where o.xid = pg_current_xact_id()
          and o.site_id = w.site_id and o.user_id = w.id and o.version = w.version)
  ) then
    raise exception 'a User was changed without a row in change_outbox'
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$$;
alter function signet.require_change_of_user() owner to signet_system;
revoke all on function signet.require_change_of_user() from public;
grant execute on function signet.require_change_of_user() to signet_owner;

create trigger users_insert_is_logged after insert on signet.users
  referencing new table as written
  for each statement execute function signet.require_change_of_user();
create trigger users_update_is_logged after update on signet.users
  referencing new table as written
  for each statement execute function signet.require_change_of_user();

create function signet.require_higher_version() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'a User was changed without a higher version'
    using errcode = 'integrity_constraint_violation';
end
$$;
create trigger users_version_rises before update on signet.users
  for each row when (new.version <= old.version)
  execute function signet.require_higher_version();
