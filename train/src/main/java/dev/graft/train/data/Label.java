package dev.graft.train.data;

import java.util.List;

/** What a classifier should say about a row, as the data names it. */
public sealed interface Label {

    /** What a data set's labels are. */
    enum Kind {
        /** Each row has one class. */
        ONE,
        /** Each row has any number of classes. */
        MANY,
        /** Each word of a row has one class. */
        EACH,
        /** Each row has a number to predict: regression. */
        SCORE
    }

    /** The classes named: one, any number, one for each word, or none for a score. */
    List<String> names();

    record One(String name) implements Label {
        @Override
        public List<String> names() {
            return List.of(name);
        }
    }

    record Many(List<String> names) implements Label {
        public Many {
            names = List.copyOf(names);
        }
    }

    /** The classes of a row's words, in their order. */
    record Each(List<String> names) implements Label {
        public Each {
            names = List.copyOf(names);
        }
    }

    record Score(double value) implements Label {
        @Override
        public List<String> names() {
            return List.of();
        }
    }
}
