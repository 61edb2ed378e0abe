package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Message;
import dev.graft.train.data.files.Dataset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PreferenceRowsTest {
    private static final Message ASKED = Message.user("a");

    @TempDir
    Path folder;

    private Dataset open(DataOptions options, String name, String content) {
        try {
            return Dataset.open(Files.writeString(folder.resolve(name), content), options);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Rows in JSON with single quotes. */
    private Dataset open(String... rows) {
        return open(DataOptions.DETECT, "a.jsonl", String.join("\n", rows).replace('\'', '"'));
    }

    private Row first(String... rows) {
        return open(rows).get(0);
    }

    private void refused(String rows, String... message) {
        assertThatThrownBy(() -> open(rows)).isInstanceOf(InputException.class).hasMessageContainingAll(message);
    }

    private static Row pair(Row chosen, Row rejected) {
        return new Row.Preference(chosen, rejected);
    }

    private static Row.Chat chat(Message... messages) {
        return new Row.Chat(List.of(messages));
    }

    private static Row.Chat answered(String answer) {
        return chat(ASKED, Message.assistant(answer));
    }

    @Test
    void aQuestionOrAnInstructionIsThePromptAndASystemComesBeforeIt() {
        Dataset orca = open("{'system':'s','question':'a','chosen':'b','rejected':'c'}");
        assertThat(orca.detected()).isEqualTo("JSONL, preferences, fields chosen,rejected,question,system, 1 row");
        assertThat(orca.get(0))
                .isEqualTo(pair(new Row.Instruction("s", "a", "", "b"), new Row.Instruction("s", "a", "", "c")));
        assertThat(first("{'instruction':'a','input':'i','chosen':'b','rejected':'c'}"))
                .isEqualTo(pair(new Row.Instruction("", "a", "i", "b"), new Row.Instruction("", "a", "i", "c")));
        assertThat(first("{'system':'s','prompt':'a','chosen':'b','rejected':'c'}"))
                .isEqualTo(pair(new Row.Instruction("s", "a", "", "b"), new Row.Instruction("s", "a", "", "c")));
        assertThat(first("{'system':'s','input':'a','chosen':'b','rejected':'c'}"))
                .isEqualTo(pair(new Row.Instruction("s", "a", "", "b"), new Row.Instruction("s", "a", "", "c")));
        assertThat(first("{'input':'a','chosen':'b','rejected':'c'}"))
                .as("a prompt alone stays as it stands")
                .isEqualTo(pair(new Row.Completion("a", "b"), new Row.Completion("a", "c")));
        DataOptions mapped = DataOptions.DETECT.withColumns(Map.of("prompt", "question"));
        assertThat(open(mapped, "b.csv", "question,chosen,rejected\na,b,c\n").get(0))
                .isEqualTo(pair(new Row.Completion("a", "b"), new Row.Completion("a", "c")));
    }

    @Test
    void aSystemAndAQuestionComeBeforeAnswersInMessages() {
        String answers =
                "'chosen':[{'role':'assistant','content':'b'}],'rejected':[{'role':'assistant','content':'c'}]}";
        assertThat(first("{'system':'s','question':'a'," + answers))
                .isEqualTo(pair(
                        chat(Message.system("s"), ASKED, Message.assistant("b")),
                        chat(Message.system("s"), ASKED, Message.assistant("c"))));
        assertThat(first("{'instruction':'a','input':'i'," + answers))
                .isEqualTo(pair(
                        chat(Message.user("a\n\ni"), Message.assistant("b")),
                        chat(Message.user("a\n\ni"), Message.assistant("c"))));
        refused(
                "{'system':'s','chosen':[{'role':'system','content':'t'},{'role':'assistant','content':'b'}],"
                        + "'rejected':[{'role':'assistant','content':'c'}]}",
                "the first message is one too");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{'prompt':'a','history':[['q','r']],'chosen':'b','rejected':'c'}|\"history\" is [[\"q\",\"r\"]]",
                "{'prompt':'a','question':'q','chosen':'b','rejected':'c'}|\"question\" is \"q\", but of these rows",
                "{'prompt':'a','input':'q','chosen':'b','rejected':'c'}|\"input\" is \"q\"",
                "{'question':'a','input':'q','chosen':'b','rejected':'c'}|\"input\" is \"q\"",
                "{'instruction':'a','context':'q','chosen':'b','rejected':'c'}|\"context\" is \"q\"",
                "{'query':'q','chosen':'b','rejected':'c'}|\"query\" is \"q\"",
                "{'system':'s','chosen':'b','rejected':'c'}|there is a \"system\", but nothing that the user says",
                "{'prompt':'a','completion':'b','history':[['q','r']]}|\"history\" is",
                "{'messages':[{'role':'assistant','content':'b'}],'system_prompt':'s'}|\"system_prompt\" is \"s\"",
                "{'prompt':'a','completion':'b','label':true,'question':'q'}|\"question\" is \"q\"",
            })
    void whatElseIsAskedIsRefusedWhereItIsNotRead(String row, String message) {
        refused(row, "a.jsonl:1", message);
    }

    @Test
    void emptyKeysAndKeysAboutTheRowAreHarmless() {
        Dataset rows = open("{'id':7,'source':'x','prompt':'a','history':[],'input':'','chosen':'b','rejected':'c'}");
        assertThat(rows.get(0)).isEqualTo(pair(new Row.Completion("a", "b"), new Row.Completion("a", "c")));
        assertThat(rows.detected()).endsWith("(not used: id,source,history,input)");
    }

    @Test
    void aSystemThatOnlyLaterRowsHaveIsRefusedWithItsLine() {
        String[] rows = new String[120];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = "{'prompt':'a" + i + "','chosen':'b','rejected':'c'}";
        }
        rows[110] = "{'prompt':'a','system':'s','chosen':'b','rejected':'c'}";
        assertThatThrownBy(() -> open(rows))
                .hasMessageContainingAll("a.jsonl:111: \"system\" is \"s\"", "if the first one has it too");
        rows[0] = "{'prompt':'a','system':'','chosen':'b','rejected':'c'}";
        assertThat(open(rows).get(110))
                .isEqualTo(pair(new Row.Instruction("s", "a", "", "b"), new Row.Instruction("s", "a", "", "c")));
    }

    @Test
    void aPromptInTextIsWhatTheUserSaysBeforeMessages() {
        assertThat(first("{'prompt':'a','chosen':[{'role':'assistant','content':'b'}],"
                        + "'rejected':[{'role':'assistant','content':'c'}]}"))
                .isEqualTo(pair(answered("b"), answered("c")));
        assertThat(
                        first(
                                "{'prompt':'a','completion':[{'role':'system','content':'s'},{'role':'assistant','content':'b'}]}"))
                .isEqualTo(chat(Message.system("s"), ASKED, Message.assistant("b")));
        refused(
                "{'prompt':'z','completion':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}]}",
                "a.jsonl:1: \"prompt\" is a text that is no message of \"completion\"",
                "remove one of them");
        refused("{'prompt':3,'completion':[{'role':'assistant','content':'b'}]}", "\"prompt\" is 3, expected a string");
    }

    @Test
    void aConversationThatBeginsWithItsPromptHasItOnce() {
        assertThat(first("{'prompt':[{'role':'user','content':'a'}],"
                        + "'chosen':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],"
                        + "'rejected':[{'role':'user','content':'a'},{'role':'assistant','content':'c'}]}"))
                .isEqualTo(pair(answered("b"), answered("c")));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{'role':'user','content':'z'}|at message 1",
                "{'role':'user','content':'a'},{'role':'assistant','content':'x'},{'role':'user','content':'z'}|at"
                        + " message 2",
                "{'role':'system','content':'s'},{'role':'user','content':'a'}|at message 1",
            })
    void conversationsThatAnswerDifferentPromptsAreRefused(String prompt, String message) {
        refused(
                "{'chosen':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'rejected':[" + prompt
                        + ",{'role':'assistant','content':'c'}]}",
                "a.jsonl:1: \"chosen\" and \"rejected\" answer different prompts, which part " + message);
    }

    @Test
    void answersWithCallsOfToolsMayPartBeforeTheLastMessage() {
        Row.Preference pair = (Row.Preference) first(
                "{'prompt':[{'role':'user','content':'a'}],'chosen':[{'role':'assistant','tool_calls':[{'name':'f'}]},"
                        + "{'role':'tool','content':'1'},{'role':'assistant','content':'b'}],"
                        + "'rejected':[{'role':'assistant','content':'c'}]}");
        assertThat(((Row.Chat) pair.chosen()).messages()).hasSize(4);
        assertThat(pair.rejected()).isEqualTo(answered("c"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "false", "'0'", "'False'", "0.0"})
    void aJudgementIsATruthValueOrOneOrZero(String bad) {
        Dataset rows = open("{'prompt':'a','completion':'b','label':" + bad + "}");
        assertThat(rows.get(0)).isEqualTo(new Row.Judged(new Row.Completion("a", "b"), false));
        assertThat(rows.detected()).startsWith("JSONL, judged answers");
    }

    @Test
    void columnsOfOnesAndZerosJudgeToo() {
        Dataset rows = open(DataOptions.DETECT, "a.csv", "prompt,completion,label\na,b,1\na,c,0\n");
        assertThat(rows.get(0)).isEqualTo(new Row.Judged(new Row.Completion("a", "b"), true));
        assertThat(rows.get(1)).isEqualTo(new Row.Judged(new Row.Completion("a", "c"), false));
    }

    @Test
    void conversationsAndInstructionsAreJudgedToo() {
        String row = "{'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],'label':true}";
        Dataset rows = open(row, row.replace("true", "0"));
        assertThat(rows.get(0)).isEqualTo(new Row.Judged(answered("b"), true));
        assertThat(rows.get(1)).isEqualTo(new Row.Judged(answered("b"), false));
        assertThat(rows.detected()).isEqualTo("JSONL, judged answers, fields messages,label, 2 rows");
        assertThat(open(DataOptions.of(RowShape.JUDGED, Map.of()), "b.jsonl", row.replace('\'', '"'))
                        .get(0))
                .isEqualTo(rows.get(0));
        assertThat(first("{'instruction':'a','input':'i','output':'b','kto_tag':false}"))
                .isEqualTo(new Row.Judged(new Row.Instruction("", "a", "i", "b"), false));
        assertThat(first("{'system':'s','prompt':'a','completion':'b','label':1}"))
                .isEqualTo(new Row.Judged(new Row.Instruction("s", "a", "", "b"), true));
        refused(
                "{'messages':[{'role':'assistant','content':'b'},{'role':'user','content':'a'}],'label':1}",
                "the last message of \"messages\" is not the assistant's");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{'prompt':'a','completion':'b','label':3}|\"label\" is 3",
                "{'prompt':'a','completion':'b','labels':'bad'}|\"labels\" is \"bad\"",
                "{'instruction':'a','output':'b','label':-1}|\"label\" is -1",
                "{'messages':[{'role':'assistant','content':'b'}],'kto_tag':'no'}|\"kto_tag\" is \"no\"",
            })
    void aLabelBesideAnswersThatJudgesNothingIsRefused(String row, String message) {
        refused(row, "a.jsonl:1: " + message, "give every row true or false (or 1 or 0)");
    }

    @Test
    void aLabelThatOnlyLaterRowsHaveIsRefusedWithItsLine() {
        String[] rows = new String[120];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = "{'prompt':'a" + i + "','completion':'b'" + (i == 110 ? ",'label':false}" : "}");
        }
        assertThatThrownBy(() -> open(rows)).hasMessageContaining("a.jsonl:111: \"label\" is false");
    }
}
