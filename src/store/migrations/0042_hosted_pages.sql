-- The links in mails lead to pages that Signet hosts, unless a Site has pages of its own.

alter table signet.sites
  add column verify_email_url         text not null default '',
  add column reset_password_url       text not null default '',
  add column accept_invitation_url    text not null default '',
  add column confirm_email_change_url text not null default '',
  add column accent_color             text not null default '',
  add constraint sites_accent_color_check
    check (accent_color = '' or accent_color ~ '^#[0-9a-f]{6}$');

-- Until now every link led to a page below the front end: Sites that are there have those pages.
-- Not even the owner changes a row while row-level security is forced.
alter table signet.sites no force row level security;
update signet.sites s
   set verify_email_url         = below.url || '/verify-email',
       reset_password_url       = below.url || '/reset-password',
       accept_invitation_url    = below.url || '/accept-invitation',
       confirm_email_change_url = below.url || '/confirm-email-change'
  from (select id, rtrim(split_part(frontend_url, '?', 1), '/') as url from signet.sites) below
 where below.id = s.id;
alter table signet.sites force row level security;
