// Lists that the server gives a page at a time.
import { useInfiniteQuery, type QueryKey } from "@tanstack/react-query";

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
// `ask` gets what says which page: nothing for the first.
export function usePages<T>(queryKey: QueryKey, ask: (page: { cursor?: string }) => Promise<Page<T>>, options: { refetchInterval?: number } = {}) {
  const list = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => ask(pageParam ? { cursor: pageParam } : {}),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    ...options,
  });
  return { ...list, items: list.data?.pages.flatMap((page) => page.items) };
}
