-- What ListUsers reads. Each index is the order of a list, so that a page is read from where the
-- last one ended and nothing is sorted. Other filters are applied on the way.
--
-- There is none by update_time: with it no update of a User could stay on its page, and each
-- would write to every index of the table.

-- Prefixes, byte by byte: the order of another collation cannot serve them.
create index users_email_prefix_idx on signet.users (site_id, email collate "C")
  where email is not null;
create index users_username_prefix_idx on signet.users (site_id, username collate "C")
  where username is not null;

-- Users created since a time. It never changes, unlike the ids it would be bound to, which
-- callers may choose.
create index users_create_time_idx on signet.users (site_id, create_time, id);

-- The few among the many: most Users are active and have the one role that all are given.
create index users_not_active_idx on signet.users (site_id, id) where state <> 'active';
create index users_special_roles_idx on signet.users (site_id, id) where roles <> '{user}';
