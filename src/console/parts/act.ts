import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { useMutation } from "@connectrpc/connect-query";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";

/**
 * Prepares a call that changes something. After a success it says so, and everything on the screen
 * is asked for anew: what a call changes shows in more than one place.
 */
export function useAct<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  done: string | undefined,
  then?: (answer: MessageShape<O>) => void,
) {
  const queries = useQueryClient();
  return useMutation(method, {
    onSuccess(answer: MessageShape<O>) {
      void queries.invalidateQueries();
      if (done !== undefined) notifications.show({ message: done, color: "teal" });
      then?.(answer);
    },
  });
}
