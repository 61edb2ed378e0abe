package dev.graft.parity;

import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Runs cases one after another: a case that throws fails, and the next one runs. */
final class CaseRunner {
    /** The comparisons of a case. */
    interface CaseBody {
        void run(CaseCheck check);
    }

    private final Consumer<CaseResult> listener;
    private final List<CaseResult> results = new ArrayList<>();

    CaseRunner(Consumer<CaseResult> listener) {
        this.listener = listener;
    }

    void run(String id, CaseBody body) {
        CaseCheck check = new CaseCheck();
        CaseResult result;
        try (Scope scope = new Scope()) {
            body.run(check);
            result = check.result(id);
        } catch (NotCoveredException reason) {
            result = new CaseResult(id, CaseResult.Status.NOT_COVERED, 0, 0, String.valueOf(reason.getMessage()));
        } catch (RuntimeException | LinkageError | AssertionError error) {
            result = new CaseResult(id, CaseResult.Status.FAILED, 0, 0, firstLine(error));
        }
        results.add(result);
        listener.accept(result);
    }

    private static String firstLine(Throwable error) {
        String message = String.valueOf(error.getMessage()).lines().findFirst().orElse("");
        return error.getClass().getSimpleName() + ": " + message;
    }

    List<CaseResult> results() {
        return results;
    }
}
