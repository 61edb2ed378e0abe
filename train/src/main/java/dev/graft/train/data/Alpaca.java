package dev.graft.train.data;

import dev.graft.models.chat.Message;
import java.util.ArrayList;
import java.util.List;

/** Converts instructions to conversations, and to the prompts that Alpaca was trained on. */
final class Alpaca {
    private static final String WITH_INPUT =
            "Below is an instruction that describes a task, paired with an input that provides further context."
                    + " Write a response that appropriately completes the request.";
    private static final String ALONE =
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.";

    private Alpaca() {}

    static List<Message> messages(String system, String instruction, String input, String output) {
        List<Message> messages = new ArrayList<>();
        if (!system.isBlank()) {
            messages.add(Message.system(system));
        }
        messages.add(Message.user(input.isBlank() ? instruction : instruction + "\n\n" + input));
        messages.add(Message.assistant(output));
        return messages;
    }

    static String prompt(String system, String instruction, String input) {
        boolean alone = input.isBlank();
        String opening = !system.isBlank() ? system : alone ? ALONE : WITH_INPUT;
        return opening + "\n\n### Instruction:\n" + instruction
                + (alone ? "" : "\n\n### Input:\n" + input)
                + "\n\n### Response:\n";
    }
}
