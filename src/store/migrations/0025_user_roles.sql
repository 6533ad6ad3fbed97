-- The holders of each role, so that those of a rare one are found at once, however many Users
-- have other roles. Row-level security keeps indexes from operators such as `@>` on an array.
--
-- The role `user` is left out: everybody has it, and the table of Users has the order already.

create table signet.user_roles (
  site_id uuid not null,
  role    text not null collate "C",
  user_id uuid not null,

  -- No foreign key: the triggers below keep it, and a check of the key would want another index.
  constraint user_roles_pkey primary key (site_id, role, user_id)
);

alter table signet.user_roles enable row level security;
alter table signet.user_roles force  row level security;
create policy own_site on signet.user_roles to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy every_site on signet.user_roles to signet_system using (true);
grant select on signet.user_roles to signet_app;
grant select, insert, delete on signet.user_roles to signet_system;

-- Follows `users.roles`; nobody else writes the table.
create function signet.keep_user_roles() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op <> 'INSERT' then
    delete from signet.user_roles r
     where r.site_id = old.site_id and r.user_id = old.id and r.role = any(old.roles);
  end if;
  if tg_op <> 'DELETE' then
    insert into signet.user_roles (site_id, role, user_id)
    select new.site_id, given.role, new.id
      from unnest(new.roles) as given (role)
     where given.role <> 'user';
  end if;
  return null;
end
$$;
alter function signet.keep_user_roles() owner to signet_system;
revoke all on function signet.keep_user_roles() from public;
grant execute on function signet.keep_user_roles() to signet_owner;

create trigger users_insert_gives_roles after insert on signet.users
  for each row when (new.roles <> '{user}') execute function signet.keep_user_roles();
create trigger users_update_gives_roles after update on signet.users
  for each row when (new.roles <> old.roles) execute function signet.keep_user_roles();
create trigger users_delete_takes_roles after delete on signet.users
  for each row when (old.roles not in ('{user}', '{}')) execute function signet.keep_user_roles();

-- The owner sees no rows of Sites; the role that works across Sites does.
set local role signet_system;
insert into signet.user_roles (site_id, role, user_id)
select u.site_id, given.role, u.id
  from signet.users u, unnest(u.roles) as given (role)
 where given.role <> 'user';
set local role signet_owner;

drop index signet.users_special_roles_idx;
