-- What a Site's mails say in place of Signet's own words, and of which guesses the audit log is
-- told.

-- The words of one kind of mail in one language. Plain text: placeholders are names in braces.
create table signet.mail_templates (
  site_id     uuid not null references signet.sites (id) on delete cascade,
  mail        text not null,
  locale      text not null,
  subject     text not null,
  opening     text not null,
  button      text not null,
  closing     text not null,
  update_time timestamptz not null,

  constraint mail_templates_pkey primary key (site_id, mail, locale)
);

alter table signet.mail_templates enable row level security;
alter table signet.mail_templates force  row level security;
create policy own_site on signet.mail_templates to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy every_site on signet.mail_templates to signet_system using (true);
grant select, insert, update, delete on signet.mail_templates to signet_app;
grant select, delete on signet.mail_templates to signet_system;

-- The audit log is told of the first wrong guess of a run, and of no other: a flood of guesses must
-- not fill it. Each counter knows whether its run has been told of.
alter table signet.guess_counts add column told boolean not null default false;
