/**
 * Run `work` over `items`, at most `parallel` at a time, and return the results in the items' order. The first failure
 * stops new work from starting and is thrown when what runs has ended.
 */
export const runParallel = async <T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> => {
  const results: R[] = []
  const queue = items.entries()
  let failure: { error: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failure) return
      try {
        results[index] = await work(item)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker))
  if (failure) throw failure.error
  return results
}
