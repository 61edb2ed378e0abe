package dev.graft.train.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** Packs rows by best-fit decreasing: longest rows first, each into the pack with the least remaining space. */
final class Packing {
    private Packing() {}

    /**
     * @param lengths of rows, none above the limit
     * @return the rows of each pack; packs in the order in which their longest rows were put there
     */
    static int[][] of(int[] lengths, int most) {
        int[] order = IntStream.range(0, lengths.length)
                .boxed()
                .sorted((a, b) -> Integer.compare(lengths[b], lengths[a]))
                .mapToInt(Integer::intValue)
                .toArray();
        List<List<Integer>> packs = new ArrayList<>();
        TreeMap<Integer, Deque<Integer>> room = new TreeMap<>();
        for (int row : order) {
            Map.Entry<Integer, Deque<Integer>> fitting = room.ceilingEntry(lengths[row]);
            int pack = packs.size();
            int left = most;
            if (fitting == null) {
                packs.add(new ArrayList<>());
            } else {
                left = fitting.getKey();
                pack = fitting.getValue().pop();
                if (fitting.getValue().isEmpty()) {
                    room.remove(left);
                }
            }
            packs.get(pack).add(row);
            room.computeIfAbsent(left - lengths[row], key -> new ArrayDeque<>()).add(pack);
        }
        return packs.stream()
                .map(pack -> pack.stream().mapToInt(Integer::intValue).toArray())
                .toArray(int[][]::new);
    }
}
