-- Lists are planned for their values, so PostgreSQL has to know which Sites there are and how large
-- they are. By default it looks again when a tenth of a table is new: among 10,000,000 Users, a
-- Site of 900,000 could go unnoticed for good, and each page of its lists would read all of them.
alter table signet.users
  set (autovacuum_analyze_threshold = 5000, autovacuum_analyze_scale_factor = 0.002);
alter table signet.user_roles
  set (autovacuum_analyze_threshold = 5000, autovacuum_analyze_scale_factor = 0.002);
alter table signet.sessions
  set (autovacuum_analyze_threshold = 5000, autovacuum_analyze_scale_factor = 0.002);
alter table signet.audit_events
  set (autovacuum_analyze_threshold = 5000, autovacuum_analyze_scale_factor = 0.002);
