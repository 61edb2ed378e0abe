package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Message;
import dev.graft.train.data.Row;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads conversations, prompts with an answer, judged answers and preference pairs.
 *
 * @param isPromptOnly true if rows are prompts to answer, so that answers may be missing
 */
record AnswerReader(ColumnRoles roles, boolean isPromptOnly) {

    Row.Chat chat(ObjectNode row, String place) {
        return conversation(roles.messages(row, "messages", place), row, place);
    }

    /** Returns a conversation that begins with the row's system message, where it has one. */
    private Row.Chat conversation(List<Message> messages, ObjectNode row, String place) {
        if (isPromptOnly) {
            PromptOnlyRows.check(messages, place);
        } else if (messages.stream().noneMatch(message -> message.role().equals("assistant"))) {
            throw new InputException(place + ": no message is the assistant's, so there is nothing to learn");
        }
        List<Message> all = new ArrayList<>(messages);
        String system = roles.optional(row, "system", place);
        if (!system.isBlank()) {
            if (messages.get(0).role().equals("system")) {
                throw new InputException(
                        place + ": there is a \"system\" beside the messages, and the first message is one too");
            }
            all.add(0, Message.system(system));
        }
        return new Row.Chat(all, MessageReader.tools(row.get(roles.key("tools")), place));
    }

    Row completion(ObjectNode row, String place) {
        return answer(row, "completion", place);
    }

    Row judged(ObjectNode row, String place) {
        Row answer = roles.has("messages")
                ? judgedChat(row, place)
                : answer(row, roles.has("output") ? "output" : "completion", place);
        JsonNode label = roles.value(row, "label");
        Boolean good = LabelReader.judgement(label);
        if (good == null) {
            throw new InputException(place + ": \"" + roles.key("label") + "\" is " + JsonFields.shortened(label)
                    + ", expected true or 1 for a good answer, false or 0 for a bad one");
        }
        return new Row.Judged(answer, good);
    }

    /** A prompt with its answer: texts, as they stand or as an instruction, or messages. */
    private Row answer(ObjectNode row, String answer, String place) {
        if (roles.value(row, answer).isArray()) {
            List<Message> said = roles.messages(row, answer, place);
            requireEnd(said, answer, place);
            return conversation(opened(row, said, answer, place), row, place);
        }
        String asking = asking();
        if (isPromptOnly && roles.value(row, asking).isArray()) {
            return conversation(roles.messages(row, asking, place), row, place);
        }
        String text = roles.string(row, answer, place, isPromptOnly);
        if (asking.equals("prompt") && !roles.has("system")) {
            return new Row.Completion(roles.string(row, "prompt", place, true), text);
        }
        return new Row.Instruction(
                roles.optional(row, "system", place), roles.string(row, asking, place, false), input(row, place), text);
    }

    private String input(ObjectNode row, String place) {
        return roles.has("input") ? roles.optional(row, "input", place) : "";
    }

    private String asking() {
        return roles.has("instruction") ? "instruction" : roles.has("question") ? "question" : "prompt";
    }

    private Row.Chat judgedChat(ObjectNode row, String place) {
        Row.Chat chat = chat(row, place);
        requireEnd(chat.messages(), "messages", place);
        return chat;
    }

    private void requireEnd(List<Message> messages, String part, String place) {
        if (!messages.get(messages.size() - 1).role().equals("assistant")) {
            throw new InputException(
                    place + ": the last message of \"" + roles.key(part) + "\" is not the assistant's");
        }
    }

    /** Messages with the prompt before them, unless they begin with it themselves. */
    private List<Message> opened(ObjectNode row, List<Message> answer, String part, String place) {
        JsonNode prompt = roles.value(row, asking());
        if (!prompt.isArray()) {
            return asked(roles.optional(row, asking(), place), row, answer, part, place);
        }
        List<Message> messages = new ArrayList<>();
        if (!prompt.isEmpty()) {
            messages.addAll(roles.messages(row, asking(), place));
        }
        boolean whole = answer.size() > messages.size()
                && answer.subList(0, messages.size()).equals(messages);
        if (whole) {
            return answer;
        }
        messages.addAll(answer);
        return messages;
    }

    private List<Message> asked(String prompt, ObjectNode row, List<Message> answer, String part, String place) {
        String input = input(row, place);
        String text = input.isBlank() ? prompt : prompt + "\n\n" + input;
        List<Message> own =
                answer.stream().filter(message -> message.role().equals("user")).toList();
        // Some sets repeat the prompt's text beside whole conversations.
        boolean repeated = own.stream()
                .anyMatch(message ->
                        text.strip().equals(String.valueOf(message.content()).strip()));
        boolean origin = !own.isEmpty() && roles.key(asking()).equals("source");
        if (text.isBlank() || repeated || origin) {
            return answer;
        }
        if (!own.isEmpty()) {
            throw new InputException(place + ": \"" + roles.key(asking()) + "\" is a text that is no message of \""
                    + roles.key(part) + "\", which holds what the user says already; remove one of them");
        }
        List<Message> messages = new ArrayList<>(answer);
        messages.add(answer.get(0).role().equals("system") ? 1 : 0, Message.user(text));
        return messages;
    }

    Row preference(ObjectNode row, String place) {
        JsonNode chosen = roles.value(row, "chosen");
        JsonNode rejected = roles.value(row, "rejected");
        if (chosen.equals(rejected)) {
            throw new InputException(place + ": " + both() + " are equal, so the row prefers nothing; remove it");
        }
        if (chosen.isArray() != rejected.isArray()) {
            throw new InputException(place + ": one of " + both() + " is a list of messages, the other is not");
        }
        if (chosen.isArray() || roles.has(asking())) {
            Row better = answer(row, "chosen", place);
            Row worse = answer(row, "rejected", place);
            if (better instanceof Row.Chat a && worse instanceof Row.Chat b) {
                requireSamePrompt(prompt(a.messages()), prompt(b.messages()), place);
            }
            return new Row.Preference(better, worse);
        }
        if (!roles.optional(row, "system", place).isBlank()) {
            throw new InputException(
                    place + ": there is a \"system\", but nothing that the user says; give it as \"prompt\"");
        }
        return splitCommonPrompt(row, place);
    }

    private String both() {
        return "\"" + roles.key("chosen") + "\" and \"" + roles.key("rejected") + "\"";
    }

    /** Returns the messages before the answer: everything up to what others than the assistant and its tools say last. */
    private static List<Message> prompt(List<Message> messages) {
        int end = messages.size();
        while (end > 0
                && !List.of("user", "system").contains(messages.get(end - 1).role())) {
            end--;
        }
        return messages.subList(0, end);
    }

    private void requireSamePrompt(List<Message> a, List<Message> b, String place) {
        if (a.equals(b)) {
            return;
        }
        int at = 0;
        while (at < a.size() && at < b.size() && a.get(at).equals(b.get(at))) {
            at++;
        }
        throw new InputException(place + ": " + both() + " answer different prompts, which part at message " + (at + 1)
                + "; a row has two answers to the same messages");
    }

    /** Two texts without a prompt: it is what both begin with. */
    private Row splitCommonPrompt(ObjectNode row, String place) {
        String a = roles.string(row, "chosen", place, false);
        String b = roles.string(row, "rejected", place, false);
        int split = commonPrefix(a, b);
        if (split == a.length() || split == b.length()) {
            throw new InputException(place + ": one answer continues the other, so the prompt can't be told from"
                    + " them; give it as \"prompt\"");
        }
        return new Row.Preference(
                new Row.Completion(a.substring(0, split), a.substring(split)),
                new Row.Completion(b.substring(0, split), b.substring(split)));
    }

    /** Returns the index at which two texts part; a space before that point goes with the answers. */
    private static int commonPrefix(String a, String b) {
        int n = 0;
        while (n < a.length() && n < b.length() && a.charAt(n) == b.charAt(n)) {
            n++;
        }
        if (n > 0 && (a.charAt(n - 1) == ' ' || Character.isHighSurrogate(a.charAt(n - 1)))) {
            n--;
        }
        return n;
    }
}
