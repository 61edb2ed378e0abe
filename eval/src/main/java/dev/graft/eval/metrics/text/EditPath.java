package dev.graft.eval.metrics.text;

import java.util.List;

/**
 * The cheapest way from an output to a reference by insertions, deletions and substitutions, looked for near the diagonal
 * only: 25 words on both sides, more where the lengths differ much. Of equally cheap ways the one that keeps or substitutes
 * is preferred, then the one that deletes.
 */
final class EditPath {

    private static final int BEAM = 25;
    private static final int INFINITE = Integer.MAX_VALUE / 2;

    private final int distance;
    private final int[] aligned;
    private final boolean[] wrongInOutput;
    private final boolean[] wrongInReference;

    private EditPath(int distance, int outputSize, int referenceSize) {
        this.distance = distance;
        aligned = new int[referenceSize];
        wrongInOutput = new boolean[outputSize];
        wrongInReference = new boolean[referenceSize];
    }

    private enum Step {
        KEEP,
        SUBSTITUTE,
        DELETE,
        INSERT
    }

    static EditPath of(List<String> output, List<String> reference) {
        int rows = output.size();
        int columns = reference.size();
        int[][] cost = new int[rows + 1][columns + 1];
        Step[][] steps = new Step[rows + 1][columns + 1];
        for (int j = 0; j <= columns; j++) {
            cost[0][j] = j;
            steps[0][j] = Step.INSERT;
        }
        double ratio = rows == 0 ? 1 : (double) columns / rows;
        int beam = BEAM < ratio / 2 ? (int) Math.ceil(ratio / 2 + BEAM) : BEAM;
        for (int i = 1; i <= rows; i++) {
            java.util.Arrays.fill(cost[i], INFINITE);
            int diagonal = (int) Math.floor(i * ratio);
            int end = i == rows ? columns + 1 : Math.min(columns + 1, diagonal + beam);
            for (int j = Math.max(0, diagonal - beam); j < end; j++) {
                if (j == 0) {
                    cost[i][0] = cost[i - 1][0] + 1;
                    steps[i][0] = Step.DELETE;
                    continue;
                }
                boolean equal = output.get(i - 1).equals(reference.get(j - 1));
                take(cost, steps, i, j, cost[i - 1][j - 1] + (equal ? 0 : 1), equal ? Step.KEEP : Step.SUBSTITUTE);
                take(cost, steps, i, j, cost[i - 1][j] + 1, Step.DELETE);
                take(cost, steps, i, j, cost[i][j - 1] + 1, Step.INSERT);
            }
        }
        EditPath path = new EditPath(cost[rows][columns], rows, columns);
        path.follow(steps);
        return path;
    }

    private static void take(int[][] cost, Step[][] steps, int i, int j, int offered, Step step) {
        if (offered < cost[i][j]) {
            cost[i][j] = offered;
            steps[i][j] = step;
        }
    }

    private void follow(Step[][] steps) {
        int i = wrongInOutput.length;
        int j = aligned.length;
        while (i > 0 || j > 0) {
            Step step = steps[i][j];
            if (step != Step.INSERT) {
                i--;
                wrongInOutput[i] = step != Step.KEEP;
            }
            if (step != Step.DELETE) {
                j--;
                aligned[j] = step == Step.INSERT ? i - 1 : i;
                wrongInReference[j] = step != Step.KEEP;
            }
        }
    }

    int distance() {
        return distance;
    }

    /** Returns the output's word in the place of this word of the reference; the one before it for a missing word. */
    int aligned(int referenceWord) {
        return aligned[referenceWord];
    }

    boolean wrongInOutput(int from, int length) {
        return any(wrongInOutput, from, length);
    }

    boolean wrongInReference(int from, int length) {
        return any(wrongInReference, from, length);
    }

    private static boolean any(boolean[] flags, int from, int length) {
        for (int i = from; i < from + length; i++) {
            if (flags[i]) {
                return true;
            }
        }
        return false;
    }
}
