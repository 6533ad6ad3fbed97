-- A Session that goes on after a change of password or second factor gets new refresh tokens;
-- the earlier ones are gone for good, and not merely used.
grant delete on signet.refresh_tokens to signet_app;
