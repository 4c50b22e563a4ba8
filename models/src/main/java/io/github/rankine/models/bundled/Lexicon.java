package io.github.rankine.models.bundled;

/**
 * The words of the bundled model's world, in {@link Grammar}'s notation. Some 500 word forms are enough for varied
 * sentences, and few enough that a model of two million parameters learns how each of them is used.
 */
final class Lexicon {
    private Lexicon() {}

    static final String WORDS = """
        person(name, he, him, his):
          Ada/she/her/her, Ben/he/him/his, Clara/she/her/her, Dina/she/her/her, Emil/he/him/his, Fay/she/her/her
          Gus/he/him/his, Hana/she/her/her, Ivo/he/him/his, Jana/she/her/her, Kira/she/her/her, Leo/he/him/his
          Mira/she/her/her, Nils/he/him/his, Olga/she/her/her, Pablo/he/him/his, Quinn/he/him/his
          Rosa/she/her/her, Sami/he/him/his, Tara/she/her/her, Ugo/he/him/his, Vera/she/her/her
          Wanda/she/her/her, Yara/she/her/her, Zeno/he/him/his, Anton/he/him/his, Bella/she/her/her
          Carl/he/him/his, Dora/she/her/her, Elsa/she/her/her, Finn/he/him/his, Greta/she/her/her
          Hugo/he/him/his, Ines/she/her/her, Jonas/he/him/his, Lena/she/her/her, Marco/he/him/his
          Nora/she/her/her, Otto/he/him/his, Petra/she/her/her
        thing(one, many):
          lamp/lamps, box/boxes, key/keys, book/books, cup/cups, chair/chairs, drum/drums, rope/ropes, bell/bells
          coat/coats, hat/hats, map/maps, letter/letters, basket/baskets, bottle/bottles, clock/clocks
          mirror/mirrors, ladder/ladders, hammer/hammers, kettle/kettles, blanket/blankets, bucket/buckets
          candle/candles, carpet/carpets, coin/coins, flag/flags, flute/flutes, jar/jars, kite/kites, pen/pens
          picture/pictures, pillow/pillows, plate/plates, ring/rings, shovel/shovels, spoon/spoons, stone/stones
          sword/swords, table/tables, tent/tents, toy/toys, umbrella/umbrellas, wheel/wheels, bag/bags
        food(one, many):
          apple/apples, pear/pears, plum/plums, cake/cakes, egg/eggs, onion/onions, carrot/carrots, melon/melons
          potato/potatoes, cookie/cookies, lemon/lemons, nut/nuts
        animal(one, many):
          cat/cats, dog/dogs, horse/horses, cow/cows, goat/goats, fox/foxes, owl/owls, hen/hens, duck/ducks
          frog/frogs, rabbit/rabbits, bear/bears, donkey/donkeys, pig/pigs, bird/birds, snake/snakes
        place: kitchen, garden, harbor, market, school, station, forest, castle, palace, barn, tower, library, cellar
          attic, museum, hall, valley, village, mill, office, park, bakery, field, temple, theater, hospital, meadow
          stable, workshop, cave, shed, yard
        colour: red, blue, green, yellow, black, white, brown, grey, purple, orange, pink, golden
        size: big, small, tiny, huge, long, short, wide, heavy, light, round
        quality: old, new, clean, dirty, broken, pretty, strange, soft, warm, cold, empty, wet
        material: wood, glass, iron, paper, stone, silver, wool, clay
        mood: happy, sad, angry, tired, hungry, proud, afraid, calm, brave, quiet
        job: baker, doctor, farmer, teacher, sailor, painter, singer, driver, king, queen, guard, cook
        day: Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday
        weather: sunny, rainy, windy, cloudy, snowy, foggy
        move(base, past, done, ing):
          carry/carried/carried/carrying, bring/brought/brought/bringing, take/took/taken/taking
          send/sent/sent/sending, drag/dragged/dragged/dragging, push/pushed/pushed/pushing
          pull/pulled/pulled/pulling, throw/threw/thrown/throwing, move/moved/moved/moving
          return/returned/returned/returning, deliver/delivered/delivered/delivering
          ship/shipped/shipped/shipping
        handle(base, past, done, ing):
          find/found/found/finding, lose/lost/lost/losing, buy/bought/bought/buying, sell/sold/sold/selling
          hide/hid/hidden/hiding, break/broke/broken/breaking, paint/painted/painted/painting
          wash/washed/washed/washing, fix/fixed/fixed/fixing, draw/drew/drawn/drawing
          see/saw/seen/seeing, make/made/made/making, want/wanted/wanted/wanting, keep/kept/kept/keeping
        act(base, past, ing):
          sleep/slept/sleeping, sing/sang/singing, dance/danced/dancing, laugh/laughed/laughing
          swim/swam/swimming, wait/waited/waiting, run/ran/running, read/read/reading, play/played/playing
          work/worked/working, rest/rested/resting, cry/cried/crying
        number(word, digit, next, before):
          two/2/three/one, three/3/four/two, four/4/five/three, five/5/six/four, six/6/seven/five
          seven/7/eight/six, eight/8/nine/seven, nine/9/ten/eight
        """;
}
