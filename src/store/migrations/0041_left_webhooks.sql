-- A deleted Site's webhooks post the deletions of its Users, and are then of no more use: what is
-- left of them, their secrets above all, is to go.

-- Webhooks of Sites whose last User is deleted, with nothing left to post, or nobody who takes it
-- in: they are switched off, or the end was before a time.
create function signet.list_left_webhooks(ended_before timestamptz, row_limit integer)
  returns table (site_id uuid, id uuid)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select w.site_id, w.id
    from signet.webhooks w
    join signet.sites s on s.id = w.site_id
    left join signet.site_heads h on h.site_id = w.site_id
   where s.erase_time is not null
     and (s.erase_time <= ended_before
          or w.state <> 'enabled'
          or (w.queued_position >= coalesce(h.position, 0)
              and signet.oldest_waiting_change(w.site_id) is null
              and not exists (
                select from signet.webhook_deliveries d
                 where d.site_id = w.site_id and d.webhook_id = w.id and d.state = 'pending')))
   order by w.site_id, w.id
   limit row_limit;
end;
alter function signet.list_left_webhooks(timestamptz, integer) owner to signet_system;
revoke all on function signet.list_left_webhooks(timestamptz, integer) from public;
grant execute on function signet.list_left_webhooks(timestamptz, integer) to signet_app;
