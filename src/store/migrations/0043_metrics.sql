-- What the metrics tell of all Sites together. Each function is bounded in what it reads or
-- returns, since it is called every few seconds.

-- Changes that are committed and have no position yet, at most so many of them, and since when the
-- oldest has waited. It looks where the sequencer looks, and so must not scan the whole outbox.
create function signet.unnumbered_changes(row_limit integer)
  returns table (changes bigint, since timestamptz, head bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_custom_plan
as $$
declare
  numbered pg_snapshot := (select s.snapshot from signet.change_state s);
  in_progress xid8[] := array(select pg_snapshot_xip(numbered));
begin
  return query
    select count(*), min(w.commit_time), (select s.head from signet.change_state s)
      from (
        (select o.commit_time from signet.change_outbox o
          where o.xid >= pg_snapshot_xmax(numbered)
          order by o.xid limit row_limit)
        union all
        (select o.commit_time from signet.change_outbox o
          where o.xid = any (in_progress)
          limit row_limit)
      ) w;
end
$$;
alter function signet.unnumbered_changes(integer) owner to signet_system;
revoke all on function signet.unnumbered_changes(integer) from public;
grant execute on function signet.unnumbered_changes(integer) to signet_app;

create policy every_site on signet.mirrors to signet_system using (true);
grant select on signet.mirrors to signet_system;

-- Mirrors of any Sites: those furthest behind first, and of these the ones that have been silent
-- for longest. `total` is how many there are in all.
create function signet.list_mirror_states(row_limit integer)
  returns table (
    site_id uuid, id uuid, lag_changes bigint, first_lacked_time timestamptz,
    report_time timestamptz, users_lacking bigint, differences bigint, diverged boolean,
    foreign_writes bigint, total bigint
  )
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  with furthest as materialized (
    select m.*, greatest(0, coalesce(h.position, 0) - m.position) as lag,
           count(*) over () as total
      from signet.mirrors m
      left join signet.site_heads h on h.site_id = m.site_id
     order by lag desc, m.report_time
     limit row_limit
  )
  select f.site_id, f.id, f.lag,
         (select c.commit_time from signet.changes c
           where c.site_id = f.site_id and c.position > f.position
           order by c.position limit 1),
         f.report_time,
         coalesce(f.checkpoint_users - f.users, 0),
         greatest(0, coalesce(f.missing_count + f.stale_count + f.extra_count + f.altered_count
                              - f.repaired_count, 0)),
         f.state = 'diverged'
           or coalesce(f.checkpoint_users <> f.users or f.checkpoint_xor <> f.xor, false),
         f.foreign_writes, f.total
    from furthest f;
end;
alter function signet.list_mirror_states(integer) owner to signet_system;
revoke all on function signet.list_mirror_states(integer) from public;
grant execute on function signet.list_mirror_states(integer) to signet_app;

-- Webhooks of all Sites by state, and their deliveries that wait or were given up; of either at
-- most `row_limit` are counted.
create function signet.webhook_totals(row_limit integer)
  returns table (
    enabled bigint, disabled bigint, failed bigint, gone bigint, pending bigint, failing bigint,
    dead bigint, pending_since timestamptz
  )
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select w.enabled, w.disabled, w.failed, w.gone, p.pending, p.failing, d.dead, p.since
    from (select count(*) filter (where state = 'enabled') as enabled,
                 count(*) filter (where state = 'disabled') as disabled,
                 count(*) filter (where state = 'failed') as failed,
                 count(*) filter (where state = 'gone') as gone
            from signet.webhooks) w
   cross join (select count(*) as pending, count(*) filter (where b.failures > 0) as failing,
                      min(b.create_time) as since
                 from (select failures, create_time from signet.webhook_deliveries
                        where state = 'pending' limit row_limit) b) p
   cross join (select count(*) as dead
                 from (select from signet.webhook_deliveries
                        where state = 'dead' limit row_limit) g) d;
end;
alter function signet.webhook_totals(integer) owner to signet_system;
revoke all on function signet.webhook_totals(integer) from public;
grant execute on function signet.webhook_totals(integer) to signet_app;
