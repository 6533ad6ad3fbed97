-- The times in the life of a signing key, so that it can be replaced without a failed check.
alter table signet.signing_keys
  -- Since when it signs; null for the next key.
  add column activate_time timestamptz,
  -- When the next key takes over, where that was asked for before it was known well enough.
  add column switch_time   timestamptz,
  -- When a previous key leaves the JWKS: past the longest token that it has signed.
  add column retire_time   timestamptz;
update signet.signing_keys set activate_time = create_time where state = 'current';

grant delete on signet.signing_keys to signet_app;
grant select on signet.signing_keys to signet_system;
create policy every_site on signet.signing_keys to signet_system using (true);

-- Sites whose keys want attention: one that signs since before `activated_before`, a switch that
-- is due, or a previous key that no token needs any more.
create function signet.sites_with_due_keys(activated_before timestamptz, row_limit integer)
  returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select distinct k.site_id
    from signet.signing_keys k
    join signet.sites s on s.id = k.site_id and s.delete_time is null
   where (k.state = 'current' and k.activate_time < activated_before)
      or (k.state = 'next' and k.switch_time <= now())
      or (k.state = 'previous' and k.retire_time <= now())
   limit row_limit;
end;
alter function signet.sites_with_due_keys(timestamptz, integer) owner to signet_system;
revoke all on function signet.sites_with_due_keys(timestamptz, integer) from public;
grant execute on function signet.sites_with_due_keys(timestamptz, integer) to signet_app;
