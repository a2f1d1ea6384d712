// Circles in a graph: ways from a node back to itself.

/**
 * One circle for each group of nodes that reach each other, as a way through it that ends where it starts; the
 * shortest through the group's first node. Empty if there is none.
 */
export function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const covered = new Set<string>();
  for (const start of graph.keys()) {
    if (covered.has(start)) continue;
    const way = shortestWay(graph, start, start);
    if (way === null) continue;
    circles.push(way);
    // whatever is on a circle with the start is of its group
    for (const node of graph.keys()) {
      if (shortestWay(graph, start, node) !== null && shortestWay(graph, node, start) !== null) covered.add(node);
    }
  }
  return circles;
}

/** The nodes from `start` to `end`, both included, over at least one edge; null where there is no way. */
function shortestWay(graph: ReadonlyMap<string, readonly string[]>, start: string, end: string): string[] | null {
  const cameFrom = new Map<string, string>();
  let reached = [start];
  while (reached.length > 0) {
    const next: string[] = [];
    for (const node of reached) {
      for (const to of graph.get(node) ?? []) {
        if (to === end) {
          const way = [end, node];
          for (let at = cameFrom.get(node); at !== undefined; at = cameFrom.get(at)) way.push(at);
          return way.reverse();
        }
        if (to === start || cameFrom.has(to)) continue;
        cameFrom.set(to, node);
        next.push(to);
      }
    }
    reached = next;
  }
  return null;
}
