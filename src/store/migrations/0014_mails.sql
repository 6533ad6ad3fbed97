-- What mails tell of, and how many an address has got.

-- A change of address that was asked for. The User keeps the old one until the new one is
-- confirmed; the newest request alone counts. Rows hold addresses, and go with the User.
create table signet.email_changes (
  site_id      uuid not null,
  id           uuid not null,
  user_id      uuid not null,
  old_email    text,
  new_email    text not null,
  redirect_url text not null,
  create_time  timestamptz not null,
  confirm_time timestamptz,

  constraint email_changes_pkey primary key (site_id, id),
  constraint email_changes_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);
create index email_changes_user_idx on signet.email_changes (site_id, user_id);

-- Mails that anybody can cause, counted by address, so that nobody is flooded in the name of a
-- Site. Only a digest of the address is kept, and only while it counts.
create table signet.mail_counts (
  site_id        uuid not null references signet.sites (id) on delete cascade,
  address_digest bytea not null,
  window_end     timestamptz not null,
  mails          integer not null,

  constraint mail_counts_pkey primary key (site_id, address_digest)
);
create index mail_counts_window_end_idx on signet.mail_counts (window_end);

alter table signet.email_changes enable row level security;
alter table signet.email_changes force  row level security;
alter table signet.mail_counts   enable row level security;
alter table signet.mail_counts   force  row level security;

create policy own_site on signet.email_changes to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.mail_counts to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

create policy every_site on signet.email_changes to signet_system using (true);
create policy every_site on signet.mail_counts to signet_system using (true);

grant select, insert, update, delete on signet.email_changes to signet_app;
grant select, insert, update, delete on signet.mail_counts to signet_app;
