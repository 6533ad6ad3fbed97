import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { Navigate, Route, Routes } from "react-router";
import { AuditScreen } from "./audit/audit-screen.tsx";
import { ChangesScreen } from "./changes/changes-screen.tsx";
import { KeysScreen } from "./keys/keys-screen.tsx";
import { Shell } from "./layout/shell.tsx";
import { Waiting } from "./parts/answer.tsx";
import { useSessionState } from "./session/context.ts";
import { SignInScreen } from "./sign-in/sign-in-screen.tsx";
import { SettingsScreen } from "./sites/settings-screen.tsx";
import { SitesScreen } from "./sites/sites-screen.tsx";
import { UserScreen } from "./users/user-screen.tsx";
import { UsersScreen } from "./users/users-screen.tsx";
import { WebhookScreen } from "./webhooks/webhook-screen.tsx";
import { WebhooksScreen } from "./webhooks/webhooks-screen.tsx";

/** Charts weigh more than all the rest, so they come when they are looked at. */
const SyncScreen = lazy(async () => ({
  default: (await import("./sync/sync-screen.tsx")).SyncScreen,
}));

/** Shows the way in, or the screens that whoever is signed in may use. */
export function Screens() {
  const { caller } = useSessionState();
  const queries = useQueryClient();
  const isSignedIn = caller !== undefined;
  // What one caller has seen is not for the next one.
  useEffect(() => {
    if (!isSignedIn) queries.clear();
  }, [isSignedIn, queries]);

  if (caller === undefined) return <SignInScreen />;
  const home = caller.kind === "operator" ? "/sites" : `/sites/${caller.siteId}/users`;
  return (
    <Shell>
      <Suspense fallback={<Waiting />}>
        <Routes>
          {caller.kind === "operator" && operatorRoutes}
          {siteRoutes}
          <Route path="*" element={<Navigate to={home} replace />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}

const operatorRoutes = (
  <>
    <Route path="/sites" element={<SitesScreen />} />
    <Route path="/operator-keys" element={<KeysScreen />} />
    <Route path="/operator-audit" element={<AuditScreen />} />
    <Route path="/sites/:siteId/changes" element={<ChangesScreen />} />
  </>
);

const siteRoutes = (
  <Route path="/sites/:siteId">
    <Route path="users" element={<UsersScreen />} />
    <Route path="users/:userId" element={<UserScreen />} />
    <Route path="keys" element={<KeysScreen />} />
    <Route path="sync" element={<SyncScreen />} />
    <Route path="webhooks" element={<WebhooksScreen />} />
    <Route path="webhooks/:webhookId" element={<WebhookScreen />} />
    <Route path="audit" element={<AuditScreen />} />
    <Route path="settings" element={<SettingsScreen />} />
  </Route>
);
