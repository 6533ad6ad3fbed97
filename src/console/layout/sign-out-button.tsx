import { createClient } from "@connectrpc/connect";
import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { AuthService } from "../../../gen/signet/v1/auth_service_pb.ts";
import { useCaller, useConsole } from "../session/context.ts";

/** Forgets the credential; an admin's Session ends with it. */
export function SignOutButton() {
  const { t } = useTranslation();
  const { session, transport } = useConsole();
  const caller = useCaller();
  const signOut = async (): Promise<void> => {
    try {
      if (caller.kind === "admin") await createClient(AuthService, transport).logout({});
    } finally {
      session.end("signed_out");
    }
  };
  return (
    // The credential is gone whether or not Signet could be told.
    <Button variant="default" onClick={() => void signOut().catch(() => undefined)}>
      {t("layout.signOut")}
    </Button>
  );
}
