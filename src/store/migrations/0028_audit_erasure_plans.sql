-- The erasure of a deleted User's clear values looks for its events by index, however long the log
-- has become.
--
-- A connection kept the plan that it had made while the log was short. It read all events of the
-- Site then: up to 20,000 pages and 40 ms for each deletion at 20,000 events.

create or replace function signet.remove_audit_personal(
  of_site_id uuid, of_user_id uuid, row_count bigint
) returns bigint
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_custom_plan
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  removed bigint;
begin
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
  ), erased as (
    update signet.audit_events e
       set personal = null, client_ip = '', salt = null
      from found f
     where e.site_id = of_site_id and e.id = f.id
    returning 1
  )
  select count(*) into removed from erased;
  return removed;
end
$$;
