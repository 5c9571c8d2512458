import { EmptyState } from "../ui";

export function ApplicationsPage() {
  return <EmptyState title="Applications" icon="key" />;
}
