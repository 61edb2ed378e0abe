package dev.graft.train.data;

import dev.graft.models.chat.Message;
import java.util.ArrayList;
import java.util.List;

/** Instructions as conversations, and as the prompts that Alpaca was trained on. */
final class Alpaca {
    private static final String WITH_INPUT =
            "Below is an instruction that describes a task, paired with an input that provides further context."
                    + " Write a response that appropriately completes the request.";
    private static final String ALONE =
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.";

    private Alpaca() {}

    static List<Message> messages(Row.Instruction row) {
        List<Message> messages = new ArrayList<>();
        if (!row.system().isBlank()) {
            messages.add(Message.system(row.system()));
        }
        messages.add(
                Message.user(row.input().isBlank() ? row.instruction() : row.instruction() + "\n\n" + row.input()));
        messages.add(Message.assistant(row.output()));
        return messages;
    }

    static Row.Completion completion(Row.Instruction row) {
        boolean alone = row.input().isBlank();
        String opening = !row.system().isBlank() ? row.system() : alone ? ALONE : WITH_INPUT;
        return new Row.Completion(
                opening + "\n\n### Instruction:\n" + row.instruction()
                        + (alone ? "" : "\n\n### Input:\n" + row.input())
                        + "\n\n### Response:\n",
                row.output());
    }
}
