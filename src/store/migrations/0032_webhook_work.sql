-- What the worker asks over all Sites, and the retention of deliveries.

-- Webhooks for which there is something to do at a time: Changes that have no delivery yet, or
-- deliveries whose next attempt is due. They are drawn by lot, so that no crowd of them keeps
-- others out.
create function signet.list_due_webhooks(due_time timestamptz, row_limit integer)
  returns table (site_id uuid, id uuid)
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  select w.site_id, w.id
    from signet.webhooks w
    left join signet.site_heads h on h.site_id = w.site_id
   where w.state = 'enabled'
     and (coalesce(h.position, 0) > w.queued_position
          or (w.resume_time is null or w.resume_time <= due_time)
             and exists (
               select from signet.webhook_deliveries d
                where d.site_id = w.site_id and d.webhook_id = w.id
                  and d.state = 'pending' and d.next_attempt_time <= due_time))
   order by random()
   limit row_limit;
end;
alter function signet.list_due_webhooks(timestamptz, integer) owner to signet_system;
revoke all on function signet.list_due_webhooks(timestamptz, integer) from public;
grant execute on function signet.list_due_webhooks(timestamptz, integer) to signet_app;

-- Removes deliveries that are over and were queued so many days ago, at most `row_count`; returns
-- how many.
create function signet.remove_webhook_deliveries(kept_days integer, row_count integer)
  returns bigint
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with old as (
    select d.site_id, d.webhook_id, d.position
      from signet.webhook_deliveries d
     where d.state <> 'pending' and d.create_time < now() - make_interval(days => kept_days)
     order by d.create_time
     limit row_count
  ), removed as (
    delete from signet.webhook_deliveries d
     using old o
     where d.site_id = o.site_id and d.webhook_id = o.webhook_id and d.position = o.position
       and d.state <> 'pending' and d.create_time < now() - make_interval(days => kept_days)
    returning 1
  )
  select count(*) from removed;
end;
alter function signet.remove_webhook_deliveries(integer, integer) owner to signet_system;
revoke all on function signet.remove_webhook_deliveries(integer, integer) from public;
grant execute on function signet.remove_webhook_deliveries(integer, integer) to signet_app;
