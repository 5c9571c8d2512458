import { EmptyState } from "../ui";

export function LogsPage() {
  return <EmptyState title="Logs" />;
}
