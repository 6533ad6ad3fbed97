-- The chain of the audit log: each event of a Site gets a number and a hash over the hash
-- before and what the event says, shortly after its commit. docs/decisions/0014 says why so.
-- Here are the tables and the bytes that are hashed; 0022 has the functions that link and erase.

alter table signet.audit_events
  -- What `subject_id` is the id of.
  add column subject_kind text,
  -- Random, 122 bits: without it nobody can guess a value from its digest. It goes with the
  -- values.
  add column salt bytea default uuid_send(gen_random_uuid());

-- Not even the owner sees rows that are forced to be of one Site.
alter table signet.audit_events no force row level security;
update signet.audit_events
   set subject_kind = case split_part(kind, '.', 1)
         when 'site' then 'site'
         when 'api_key' then 'api_key'
         when 'signing_key' then 'signing_key'
         when 'mirror' then 'mirror'
         else 'user' end;
alter table signet.audit_events force row level security;
alter table signet.audit_events alter column subject_kind set not null;

-- Serve the chain, the erasure and the conditions of ListAuditEvents.
create index audit_events_xid_seq_idx on signet.audit_events (xid, seq);
drop index signet.audit_events_xid_idx;
create index audit_events_actor_idx on signet.audit_events (site_id, actor_id, id)
  where actor_id <> '';
create index audit_events_kind_idx on signet.audit_events (site_id, kind, id);
drop index signet.audit_events_subject_idx;
create index audit_events_subject_idx on signet.audit_events (site_id, subject_id, id)
  where subject_id is not null;

-- The links, apart from the events, so that neither is ever written twice.
create table signet.audit_links (
  site_id       uuid not null,
  sequence      bigint not null,
  event_id      uuid not null,
  -- What the hash covers besides the hash before: a signet.v1.AuditEvent without its link, with
  -- digests for the values of `personal`.
  record        bytea not null,
  previous_hash bytea not null,
  hash          bytea not null,

  constraint audit_links_pkey primary key (site_id, sequence),
  constraint audit_links_event_key unique (site_id, event_id)
);

-- The end of each Site's chain.
create table signet.audit_heads (
  site_id  uuid primary key,
  sequence bigint not null,
  hash     bytea not null
);

-- Deleted Users, beside whose events clear values may be left.
create table signet.audit_erasures (
  site_id uuid not null,
  user_id uuid not null,

  constraint audit_erasures_pkey primary key (site_id, user_id)
);

-- One row: where the chaining stands. Everything that `snapshot` sees is linked; on the way to
-- `target`, if that is set, everything up to the event at `xid` and `seq` is, too.
create table signet.audit_state (
  only_row          boolean primary key default true check (only_row),
  snapshot          pg_snapshot not null,
  target            pg_snapshot,
  xid               xid8 not null default '0',
  seq               bigint not null default 0,
  -- The database that the snapshots are of; null before the first step.
  system_identifier bigint,
  database_oid      oid
);
-- Before any transaction: what was written before this migration is linked as well.
insert into signet.audit_state (snapshot) values ('3:3:');

alter table signet.audit_links    enable row level security;
alter table signet.audit_links    force  row level security;
alter table signet.audit_heads    enable row level security;
alter table signet.audit_heads    force  row level security;
alter table signet.audit_erasures enable row level security;
alter table signet.audit_erasures force  row level security;

create policy own_site on signet.audit_links to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy every_site on signet.audit_links to signet_system using (true);
create policy every_site on signet.audit_heads to signet_system using (true);
create policy every_site on signet.audit_erasures to signet_system using (true);

grant select on signet.audit_links to signet_app;
grant select, insert on signet.audit_links to signet_system;
grant select, insert, update on signet.audit_heads to signet_system;
grant select, insert, delete on signet.audit_erasures to signet_system;
grant select, update on signet.audit_state to signet_system;
grant select on signet.audit_events to signet_system;
grant update (personal, client_ip, salt, xid) on signet.audit_events to signet_system;

-- Who forged the transaction of an event could keep it out of the chain.
revoke insert on signet.audit_events from signet_app;
grant insert (site_id, id, kind, actor_kind, actor_id, subject_kind, subject_id, details,
              personal, client_ip, create_time)
  on signet.audit_events to signet_app;

-- The functions that write records are in PL/pgSQL and pin no search path, for a record takes some
-- thirty calls of them: 0.75 ms as functions of SQL, and a tenth of that so. They run with the path
-- of `chain_audit_events`.

-- A number as protobuf writes it: 7 bits a byte, the lowest first.
create function signet.protobuf_varint(n bigint) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  bytes bytea := '';
begin
  while n >= 128 loop
    bytes := bytes || set_byte('\x00'::bytea, 0, (n & 127 | 128)::integer);
    n := n >> 7;
  end loop;
  return bytes || set_byte('\x00'::bytea, 0, n::integer);
end
$$;

-- A field of a message whose value has a length; an empty one is left out. Numbers to 15.
create function signet.protobuf_field(field integer, value bytea) returns bytea
  language plpgsql immutable parallel safe
as $$
begin
  if coalesce(length(value), 0) = 0 then
    return '';
  end if;
  return set_byte('\x00'::bytea, 0, field * 8 + 2)
    || signet.protobuf_varint(length(value)) || value;
end
$$;

-- A map of texts, its entries in the order of their names.
create function signet.protobuf_map(field integer, entries jsonb) returns bytea
  language plpgsql immutable parallel safe
as $$
declare
  bytes bytea := '';
  entry record;
begin
  if entries = '{}' then
    return bytes;
  end if;
  for entry in select * from jsonb_each_text(entries) as e order by e.key collate "C" loop
    bytes := bytes || signet.protobuf_field(
      field,
      signet.protobuf_field(1, convert_to(entry.key, 'UTF8'))
        || signet.protobuf_field(2, convert_to(entry.value, 'UTF8')));
  end loop;
  return bytes;
end
$$;

-- What stands for the clear values in the chain; nothing after the erasure.
create function signet.audit_digests(salt bytea, personal jsonb, client_ip text) returns jsonb
  language plpgsql immutable parallel safe
as $$
declare
  digests jsonb := '{}';
  entry record;
begin
  if personal is not null then
    for entry in select * from jsonb_each_text(personal) loop
      digests := digests || jsonb_build_object(
        entry.key, encode(sha256(salt || convert_to(entry.value, 'UTF8')), 'hex'));
    end loop;
  end if;
  if client_ip <> '' then
    digests := digests || jsonb_build_object(
      'client_ip', encode(sha256(salt || convert_to(client_ip, 'UTF8')), 'hex'));
  end if;
  return digests;
end
$$;

-- The bytes that the chain covers, field by field as in signet.v1.AuditEvent.
create function signet.audit_record(e signet.audit_events) returns bytea
  language plpgsql stable parallel safe
as $$
declare
  micros constant bigint := extract(epoch from e.create_time) * 1000000;
  actor_kind constant integer := case e.actor_kind
    when 'anonymous' then 1 when 'user' then 2 when 'site_key' then 3
    when 'operator' then 4 when 'system' then 5 when 'peer' then 6 end;
begin
  return signet.protobuf_field(1, convert_to(e.id::text, 'UTF8'))
    || signet.protobuf_field(2, convert_to(e.site_id::text, 'UTF8'))
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

-- The hashes of successive records, each over the one before.
create function signet.audit_next_hash(hash bytea, head bytea, record bytea) returns bytea
  language plpgsql immutable parallel safe
as $$
begin
  return sha256(coalesce(hash, head) || record);
end
$$;
grant execute on function signet.audit_next_hash(bytea, bytea, bytea) to signet_system;
create aggregate signet.audit_hash(head bytea, record bytea) (
  sfunc = signet.audit_next_hash, stype = bytea
);

grant execute on function
  signet.protobuf_varint(bigint), signet.protobuf_field(integer, bytea),
  signet.protobuf_map(integer, jsonb), signet.audit_digests(bytea, jsonb, text),
  signet.audit_record(signet.audit_events), signet.audit_hash(bytea, bytea)
  to signet_system;
