import { EmptyState } from "../ui";

export function PipelinePage() {
  return <EmptyState title="Pipeline" />;
}
