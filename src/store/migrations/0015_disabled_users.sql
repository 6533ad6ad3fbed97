-- What a disabled User was before, and is again once enabled; null: the User is not disabled.
alter table signet.credentials add column disabled_from text,
  add constraint credentials_disabled_from_check
    check (disabled_from is null or disabled_from in ('active', 'invited'));
