package dev.graft.eval.suites;

import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** Words of two meanings in sentences, two for each meaning. */
final class TwinHomonyms {
    /** The word; two sentences with one meaning, two with the other. */
    private static final List<String> HOMONYMS = List.of(
            "bank|lent us money for the house|keeps our savings|of the river was muddy|was covered with reeds and wet"
                    + " sand",
            "bat|flew out of the dark cave|hangs upside down in its sleep|hit the ball over the fence|is swung by the"
                    + " player",
            "crane|lifted the steel beams|stood at the building site|waded in the shallow lake|spread its wings and"
                    + " flew",
            "bark|of the dog woke us|was loud whenever a stranger came|of the oak is rough|peeled off the old tree",
            "seal|swam under the ice|ate fish on the rocks|of the king was on the letter|was pressed into the hot wax",
            "match|lit the candle|burned down to my fingers|was won by the home team|ended two goals to one",
            "nail|was hammered into the board|held the picture on the wall|on her finger was painted red|of my toe"
                    + " grew too long",
            "palm|grew on the beach|had green leaves and coconuts|of his hand was sweaty|was read by the fortune"
                    + " teller",
            "ring|had a diamond in it|was put on the finger of the bride|of the telephone woke me|was heard whenever"
                    + " somebody called",
            "trunk|of the elephant held the apple|sprayed water over its back|of the car was full of bags|was opened"
                    + " to load the suitcase",
            "wave|broke on the shore|carried the surfer|of her hand said goodbye|greeted the crowd from the balcony",
            "well|gave cold water|was dug deep into the ground|in the yard had a bucket on a rope|went dry in the hot"
                    + " summer",
            "organ|filled the church with music|was played at the wedding|was given to the patient|pumps blood through"
                    + " the body",
            "pupil|did his homework|raised her hand in class|of the eye was wide|grew smaller in the light",
            "pen|wrote in blue ink|lay on the desk beside the paper|kept the sheep together|was where the pigs slept",
            "mole|dug tunnels under the lawn|is nearly blind|on her skin was brown|was removed by the doctor",
            "spring|brought flowers and warm days|came after a long winter|of the mattress was broken|jumped out of"
                    + " the watch",
            "plant|needs water and sun|grew in the flower pot|makes cars by night and day|employs a thousand workers",
            "star|shone in the night sky|is larger than our sun|signed autographs for fans|was paid millions for the"
                    + " film",
            "chest|was full of gold coins|was opened by the pirates|hurt when he breathed|of the runner rose and fell",
            "bolt|held the two parts together|was tightened with a wrench|struck the tree in the storm|lit up the"
                    + " clouds",
            "horn|of the rhino was sharp|grew on the head of the goat|of the car was loud|was blown by the angry"
                    + " driver",
            "note|was sung too high|sounded wrong in the melody|lay on the table with her message|reminded me to buy"
                    + " milk",
            "glass|was full of juice|fell from the table and spilled|of the window was broken|was made by melting"
                    + " sand");

    private TwinHomonyms() {}

    /** A row of WiC: whether a word means the same in two sentences. */
    static void pair(ObjectNode line, TwinVocabulary words) {
        String[] parts = words.any(words.own(HOMONYMS)).split("\\|");
        boolean same = words.coin();
        int meaning = words.below(2);
        int first = 1 + 2 * meaning + words.below(2);
        int second = same ? first % 2 == 0 ? first - 1 : first + 1 : 1 + 2 * (1 - meaning) + words.below(2);
        line.put("word", parts[0]);
        String[] sentences = {sentence(parts[0], parts[first], words), sentence(parts[0], parts[second], words)};
        for (int i = 0; i < 2; i++) {
            int start = sentences[i].indexOf(" " + parts[0] + " ") + 1;
            line.put("sentence" + (i + 1), sentences[i]);
            line.put("start" + (i + 1), start).put("end" + (i + 1), start + parts[0].length());
        }
        line.put("label", same);
    }

    private static String sentence(String word, String rest, TwinVocabulary words) {
        return words.any(TwinVocabulary.PEOPLE) + " said that the " + word + " " + rest + ".";
    }
}
