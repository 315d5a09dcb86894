"""Made-up facts of 澜州市: counties, categories, shops and goods. Names of places and people are invented."""

from __future__ import annotations

AREAS = (
    ("LZ01", "澜城区"), ("LZ02", "滨澜区"), ("LZ03", "望湖区"), ("LZ04", "青禾县"), ("LZ05", "云屏县"), ("LZ06", "南汀县"),
    ("LZ07", "石岭县"), ("LZ08", "松涛县"), ("LZ09", "白鹭县"), ("LZ10", "竹溪县"),
)  # fmt: skip

# code, name, icon, document required, children (code, name)
CATEGORIES = (
    ("fruit", "水果", "citrus", "inspection", (("citrus", "柑橘"), ("apple", "苹果梨"), ("berry", "浆果"))),
    ("tea", "茶叶", "leaf", "inspection", (("green-tea", "绿茶"), ("black-tea", "红茶"))),
    ("grain", "粮油", "wheat", "inspection", (("rice", "大米"), ("oil", "食用油"))),
    ("fresh", "生鲜", "fish", "inspection", (("egg", "禽蛋"), ("aquatic", "水产"), ("meat", "肉制品"))),
    ("dry", "干货特产", "sprout", "production", (("fungus", "菌菇"), ("honey", "蜂蜜"), ("snack", "糕点零食"))),
    ("home", "家居", "armchair", "-", (("furniture", "家具"), ("pottery", "陶瓷"))),
    ("wear", "服饰", "shirt", "-", (("cloth", "土布衣物"),)),
    ("gift", "礼盒文创", "gift", "-", (("giftbox", "特产礼盒"),)),
)  # fmt: skip

# category code -> how cold its goods travel, where not ambient; ways of getting goods, shop by shop
COLD = {"aquatic": "frozen", "meat": "chilled", "berry": "chilled"}
WAYS = ("express", "express,local,pickup", "express,pickup")
PERISHABLE = ("fruit", "fresh")  # outside the seven days without reason, with compensation for bad fruit

# category code -> (motif, main colour, second colour, unit, option name, option values, price range in yuan, names)
GOODS = {
    "citrus": ("round", "#f08a24", "#3f8f3f", "箱", "规格", ("5 斤装", "10 斤装"), (29, 68), ("脐橙", "蜜柚", "沃柑", "砂糖橘", "金桔", "椪柑")),
    "apple": ("round", "#d3372f", "#4b8b3b", "箱", "规格", ("5 斤装", "9 斤装"), (32, 79), ("红富士苹果", "脆苹果", "蜜梨", "酥梨", "冰糖心苹果")),
    "berry": ("round", "#7a3fa0", "#3f8f3f", "盒", "规格", ("1 斤装", "3 斤装"), (25, 88), ("蓝莓", "桑葚", "草莓", "杨梅")),
    "green-tea": ("jar", "#2f7d4f", "#c9a24b", "罐", "规格", ("125g 罐装", "250g 罐装"), (48, 188), ("云雾绿茶", "明前毛尖", "雨前龙芽", "高山炒青")),
    "black-tea": ("jar", "#8c3b2a", "#c9a24b", "罐", "规格", ("125g 罐装", "250g 罐装"), (58, 168), ("工夫红茶", "野生红茶", "桂花红茶")),
    "rice": ("sack", "#e8c98a", "#9a6b2f", "袋", "规格", ("5kg", "10kg"), (35, 89), ("富硒软米", "香粳米", "糙米", "胚芽米", "五彩米")),
    "oil": ("jar", "#e3a92b", "#6b8e23", "瓶", "规格", ("1.8L", "5L"), (45, 128), ("压榨菜籽油", "山茶油", "花生油", "芝麻油")),
    "egg": ("round", "#d9b382", "#c47f3d", "盒", "规格", ("20 枚", "30 枚"), (22, 58), ("散养土鸡蛋", "绿壳鸡蛋", "咸鸭蛋", "松花蛋")),
    "aquatic": ("fish", "#5f93b8", "#2f5f85", "条", "规格", ("约 2 斤", "约 4 斤"), (29, 99), ("大头鱼", "鳜鱼", "鲈鱼", "小龙虾")),
    "meat": ("box", "#b5483a", "#f2d2a0", "份", "规格", ("500g", "1kg"), (39, 158), ("老火腿", "腊肉", "土猪香肠", "风干牛肉")),
    "fungus": ("mushroom", "#8a5a3b", "#f3dcc0", "袋", "规格", ("200g", "400g"), (28, 96), ("段木香菇", "黑木耳", "羊肚菌", "竹荪", "茶树菇")),
    "honey": ("jar", "#e0a021", "#7a4b12", "瓶", "规格", ("500g", "1000g"), (39, 118), ("百花蜂蜜", "椴树蜜", "枇杷蜜", "洋槐蜜")),
    "snack": ("box", "#d98a4a", "#7c4a21", "盒", "口味", ("原味", "椒盐"), (15, 49), ("桂花糕", "芝麻酥", "米花糖", "手工麻花")),
    "furniture": ("chair", "#b98a5a", "#7a5230", "把", "颜色", ("原木色", "胡桃色"), (199, 699), ("白橡木餐椅", "竹编躺椅", "实木小凳", "榆木茶几")),
    "pottery": ("pot", "#7d9aa5", "#4f6b75", "件", "颜色", ("青釉", "白釉"), (49, 269), ("手作茶壶", "青瓷碗", "粗陶花瓶", "盖碗")),
    "cloth": ("cloth", "#3b5b8a", "#dfe6f0", "件", "尺码", ("M", "L", "XL"), (59, 239), ("蓝印花布衫", "手织土布围巾", "苎麻长裙")),
    "giftbox": ("box", "#c9351c", "#f2c14e", "盒", "规格", ("四件套", "六件套"), (88, 368), ("澜州年礼", "山货礼盒", "茶点礼盒")),
}  # fmt: skip

GRADES = ("精选", "一级", "特级", "农家", "有机转换期", "当季新品", "老字号", "手工")
SURNAMES = "林陈黄周吴郑何梁谢罗"
SHOP_KINDS = (
    ("果业联营社", ("citrus", "apple", "berry")), ("茶叶合作社", ("green-tea", "black-tea", "giftbox")),
    ("粮油坊", ("rice", "oil", "snack")), ("生态农场", ("egg", "meat", "aquatic")), ("山货行", ("fungus", "honey", "snack", "giftbox")),
    ("手作工坊", ("pottery", "furniture", "cloth")),
)  # fmt: skip
