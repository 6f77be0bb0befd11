"""What customers say, and what they mean by it: data only, read by `handlers.chat.sayings`.

Phrases stand between commas, spelled as they are spelled, Vietnamese with its marks: both sides are folded before they
are compared. In a phrase

* `a/b` is one word or the other, `@name` any word of that group in `GROUPS`, `#` a number;
* between two words particles and numbers may stand, after `..` up to three words of any kind, at `a_b` nothing.

Since marks are folded away, a word is written alone only if its other readings do no harm: "te" is *tệ* and nothing
else, but "toi" is *tồi*, *tôi* and *tối*.
"""

from typing import Final, NamedTuple


class Phrases(NamedTuple):
    """`anywhere` says it whatever stands around it, `alone` only when nothing but fillers does."""

    anywhere: str
    alone: str


# Abbreviations, teencode and frequent slips, each with the words it stands for.
SLANG: Final = """
    ko=không k=không kh=không kg=không khg=không hok=không hk=không hong=không hem=không hum=không khum=không
    khom=không kp=không_phải z=vậy v=vậy zay=vậy dz=vậy zi=vậy dzay=vậy r=rồi rui=rồi ui=ơi nhen=nha nghen=nha nx=nữa
    lun=luôn dy=đi bn=bao_nhiêu bnh=bao_nhiêu bnhieu=bao_nhiêu bnhiu=bao_nhiêu bhiu=bao_nhiêu nhiu=nhiêu
    baonhieu=bao_nhiêu bh=bao_giờ bjo=bây_giờ ntn=như_thế_nào tnao=thế_nào ji=gì j=gì g=gì s=sao lmsao=thế_nào
    lsao=thế_nào m=mình mk=mình mik=mình mh=mình t=tôi tui=tôi tau=tôi e=em a=anh c=chị ac=anh_chị b=bạn nv=nhân_viên
    nvien=nhân_viên ad=admin adm=admin sop=shop cskh=chăm_sóc_khách_hàng dc=được dx=được mun=muốn bit=biết bik=biết
    bt=biết lm=làm cx=cũng cg=cũng vs=với zoi=với trc=trước ms=mới nch=nói_chuyện nc=nói_chuyện lh=liên_hệ lhe=liên_hệ
    ktra=kiểm_tra ktr=kiểm_tra kt=kiểm_tra gth=giớithiệu gt=giớithiệu tks=thanks thks=thanks thx=thanks thankiu=thanks
    ty=thanks camon=cảm_ơn cmon=cảm_ơn xinchao=xin_chào helu=hello hj=hi hd=hướng_dẫn hdan=hướng_dẫn ht=hỗ_trợ
    htro=hỗ_trợ hotro=hỗ_trợ dim=điểm pts=points pt=points wa=quà qa=quà doiqua=đổi_quà vc=voucher vch=voucher
    vou=voucher mgg=mã_giảm_giá magiamgia=mã_giảm_giá km=khuyến_mãi kmai=khuyến_mãi ctkm=khuyến_mãi qc=quảng_cáo
    tnhan=tin_nhắn tb=thông_báo sp=sản_phẩm dh=đơn_hàng tk=tài_khoản tv=thành_viên meno=menu eng=english en=english
    qrcode=qr_code tdiem=tích_điểm tichdiem=tích_điểm ur=your pls=please plz=please wanna=want_to gimme=give_me
    unsub=unsubscribe im=i ive=i_have cant=can_not cannot=can_not dont=do_not doesnt=does_not didnt=did_not
    isnt=is_not wasnt=was_not wont=will_not havent=have_not hasnt=has_not arent=are_not couldnt=could_not
    whats=what_is wheres=where_is hows=how_is its=it_is
"""

# Two words that together stand for something else than each alone.
SLANG_PAIRS: Final = """
    bn ơi=bạn ơi, bn à=bạn ơi, bn bè=bạn bè, mời bn=mời bạn, rủ bn=rủ bạn, chào bn=chào bạn, ơn bn=ơn bạn,
    gt bn=giớithiệu bạn, giới thiệu=giớithiệu, thiệu bn=giớithiệu bạn, cho bn=cho bạn, bị hỏng=bị hư,
    hàng hỏng=hàng hư, hỏng rồi=hư rồi, hỏng hết=hư hết, đồ hỏng=đồ hư, máy hỏng=máy hư, hủy dk=hủy đăng ký,
    ko dk=không được, k dk=không được, hôm qua=hôm trước, bữa qua=hôm trước, đẹp quá=đẹp lắm, hế lô=hello, a lô=alo,
    thank you=thanks, thank u=thanks, can u=can you, do u=do you, thank kiu=thanks, thanh kiu=thanks, làm sao=thế nào,
    ra sao=thế nào, sao kê=lịch sử, thiếu mấy=cần mấy, thiếu bao=cần bao, bao nhiêu=mấy, bao nhiu=mấy,
    lừa gạt=lừa đảo, gian lận=ăn gian, of course=ok
"""

# Denied, these speak of the speaker's mind and not of what happened. With the denial they are one word: `khôngbiết`.
MIND: Final = "biết hiểu nhớ rõ muốn cần phải thích định thèm hỏi"

# Words that may stand inside a phrase and change nothing: who speaks to whom, and politeness.
PARTICLES: Final = """
    shop quán tiệm admin bot ơi à ạ ừ uh dạ vâng thưa nhé nha nhỉ nè hả hở ta á ý đó đấy kìa vậy thế thì mà là luôn đi
    với giúp giùm dùm hộ cho xin em anh chị mình tôi tớ cô chú bạn con cháu của này kia đang hiện giờ nay cái số the
    an my me i we our you your it is am are please to
"""

# Words that may stand beside a phrase that must be alone.
FILLERS: Final = """
    rồi hỏi xem coi check kiểm tra biết nói muốn cần có không được bây tại nào đâu gì sao còn chưa lại tài khoản mới
    nữa thử gửi đưa lấy mở ra lên vào show nhờ chút tí xíu tất cả danh sách hướng về thế nào kiếm nhưng hay cũng để
    tìm khôngbiết khôngrõ khôngnhớ do does has have had got get can could would will of for on in at and want need
    like give see view tell open let lets just now here some any all what which where how about a list ok oke okie hi
    hello hey chào alo cảm ơn thanks thank
"""

GROUPS: Final = {
    "howmany": "mấy nhiêu",
    "goods": "hàng đơn món phẩm đồ áo quần giày dép váy túi ly cốc bánh trà nước hộp gói máy",
    "see": "xem coi check tra mở show hiện",
    "say": "nói gặp chat gọi",
    "person": "viên người admin chủ quản_lý",
    "ads": "tin quảng khuyến báo",
    "end": "đừng ngừng ngưng dừng tắt chặn hủy bỏ",
    "spend": "đổi dùng xài tiêu dụng",
    "erase": "xóa hủy bỏ gỡ",
    "request": "yêu_cầu ticket tickets phiếu khiếu_nại phản_ánh",
    "perk": "voucher vouchers mã coupon phiếu",
    "not": "không chưa chẳng",
    "me": "tôi mình em anh chị",
    "time": "tiếng ngày tuần tháng giờ phút buổi",
    "talk": "talk speak chat connect",
    "agent": "human agent person someone somebody staff representative operator",
}

# Said about something else: these words are set aside before anything is looked for.
NOTHING: Final = """
    địa_điểm, thời_điểm, quan_điểm, đặc_điểm, ưu_điểm, nhược_điểm, trọng_điểm, cao_điểm, điểm_danh,
    điểm_thi_của/đại/tốt/lớp/cuối/học, điểm_số_học, điểm_toán, điểm_trung_bình, điểm_tâm, điểm_hẹn, thẻ_tín_dụng,
    thẻ_ngân_hàng, thẻ_atm, thẻ_điện_thoại, thẻ_visa, thẻ_nhớ, thẻ_cào, credit/gift/debit/birthday/sim_card/cards,
    không_có_gì/chi, không_sao, không_vấn_đề, no_problem/worries, not_a_problem, nothing_wrong, sữa_chua, chuẩn_bị,
    thiết_bị, trang_bị, bí_đao/quyết, chị/cô/tên_điểm_có/ơi/đâu, có_sao_không, mặt_trời, mặt_tiền,
    mặt_hàng_nào/này/gì/mới/khác, mật_khẩu, hoàn_toàn/hảo/thành, quà_sinh_nhật, quà_cưới, point_of_view, what_is_the_point,
    hàng_giá_mấy/sao/rẻ/tốt/gốc, thái_độ .. tốt/nhiệt/dễ, đúng_rồi
"""

# Something went wrong. Any of these opens a ticket, whatever else the text speaks of.
TROUBLE: Final = Phrases(
    anywhere="""
    bị, trừ .. điểm, trừ_oan, điểm .. mất, mất điểm, mất .. # điểm, mất_tiêu/hết/sạch/toi/trắng, biến_mất, bốc_hơi,
    thiếu, hụt_điểm, hụt_mất, điểm .. về #, điểm_đi_đâu, điểm .. đâu_rồi/hết, sao .. điểm, điểm .. là_sao, # là_sao,
    điểm .. sao_ít/thấp, điểm_tụt/giảm/bay/âm, điểm .. ít_vậy/thế/quá/hơn/đi, ít_điểm, âm_điểm, âm # điểm,
    điểm .. y_nguyên, điểm .. như_cũ, @not .. điểm, không_được/ra/lên/chạy/load/quét/mở, mà_@not, mà_vẫn, rồi_mà,
    mà_app/quán/shop/bên/nhân/bot .. @not, tại_sao, vì_sao, sao .. lại, sao .. @not, từ_chối,
    điểm .. @not_lên/nhảy/vào/về/cộng/thấy/có/đúng/tăng/khớp/đủ/đổi/giống, mà_có # điểm, được_có # điểm,
    cộng .. sai/nhầm/lộn/thiếu, cộng_trễ/chậm, quên .. cộng/tích, ai_lấy, lấy_mất, nuốt .. điểm, ăn .. điểm_của,
    nuốt_mất, ăn_mất, điểm_ma, trả_lại .. điểm, trả .. điểm_lại, trả_điểm_đây, tự_dưng/nhiên .. điểm, bỗng_dưng,
    bỗng_nhiên, khi_không .. điểm, sai_điểm, điểm .. sai, nhầm_điểm, điểm .. nhầm, tính .. sai/nhầm/lộn,
    sai/nhầm/lộn_giá/tiền, @not .. cộng, điểm .. @not_lên, @not_nhận_được, @not_nhận .. voucher/quà/mã/hàng/đơn/món,
    tích .. không được, không @spend .. được, @spend .. không được, không_áp .. được, áp .. không được, áp mã .. vẫn,
    không_hợp_lệ, báo_sai/lỗi, mã .. không được, mã/voucher lỗi/sai, ăn_gian/chặn/bớt,
    tự_nhiên .. mất/trừ/về/hết/giảm, tự_động trừ, đâu mất,

    @goods_vỡ/hư/nát/móp/rách/gãy/thiu/lỗi/mốc/nứt, hàng/ly/cốc_bể, vỡ_nát/hết/tan/rồi/vụn/mất, bể_nát/hết/rồi/tan,
    rách_rồi/hết/toạc/nát, hư_rồi/hết/hỏng, nát_hết/bét/bấy, móp_hết/méo, mốc_meo/hết/xanh, đồ/hàng_giả,
    hàng_nhái/dởm/fake/lởm/đểu, giả_mạo, kém_chất_lượng, không_đúng_mô/hình/mẫu/màu/hàng/đơn,
    không_giống_hình/ảnh/mô/mẫu, khác_hình/xa/mô, ôi_thiu, có_mùi, mùi_hôi/lạ/ôi/chua/thối, có .. gián/ruồi/giòi/dòi,
    con_ruồi/gián/giòi, có_tóc/kiến, đau_bụng, muốn_ói/nôn, buồn_nôn, ngộ_độc, tiêu_chảy, đổ_hết, đổ_ra_ngoài,
    chảy_hết/ra, nguội_ngắt/lạnh/tanh, bong_keo/tróc, bung_chỉ/keo, phai_màu, ra_màu, hết_hạn_sử_dụng, quá_date,
    quá_hạn_sử,

    giao .. thiếu/nhầm/sai/lộn/trễ/chậm/muộn, giao_lâu, giao_hàng_lâu, gửi .. thiếu/nhầm/sai/lộn,
    ship .. chậm/trễ/nhầm/thiếu, mà .. giao_có, làm_sai, @not .. thấy .. @goods/giao/ship/đâu, chưa .. giao/ship,
    @goods .. chưa .. tới/đến/giao/về, @goods .. không_tới/đến, vẫn_chưa, mãi_chưa/không, thất_lạc, mất_hàng/đơn/đồ,
    lâu_quá/thế/vậy/ghê, lâu_như_vậy, chậm_quá/trễ/thế/ghê/như, trễ_quá/hẹn, trễ .. # @time, muộn_quá,
    đợi/chờ_cả/mấy_@time, đợi/chờ_mãi/hoài/lâu/dài, đợi/chờ hơn/gần/tận/tới/suốt # @time, đợi/chờ_#_@time, quá_hẹn,
    còn_thiếu # món/ly/cái/phần/sản, sai/nhầm_món/hàng/màu/mẫu/đơn/cỡ/size,

    hoàn_tiền, hoàn_lại, trả_lại_tiền, trả .. tiền_lại, đòi_lại, tính/trừ .. hai/#_lần, trừ_tiền, mất_tiền,
    @not .. hoàn,

    thái_độ, tệ_quá/lắm/ghê/thật/hại/vậy/thế, kém_quá/lắm/vậy/thế, chán_quá/ghê/thật, dở_tệ/ẹc, quá_tệ/kém/chán/đáng,
    quá_là_tệ/chán/kém, phục_vụ .. kém/tệ/chán/dở/tồi, dịch_vụ .. kém/tệ/chán/dở/tồi,
    chất_lượng .. kém/tệ/chán/dở/tồi, tồi_tệ, làm_ăn .. kiểu, làm_ăn_chán/gì/vậy/lừa/gian/kém/tệ, mất_dạy,
    mất_lịch_sự, thất_vọng, bực_mình/quá/bội/ghê, tức_quá/ghê/giận, bức_xúc, khó_chịu, vô_trách_nhiệm, vô_lý, thô_lỗ,
    cọc_cằn, khó_nghe, hỗn_láo, lừa_đảo, lừa_khách/tiền, gạt_khách/tiền, tố_cáo, kiện_shop/ra_tòa, bóc_phốt, tẩy_chay,
    cạch_mặt, không_bao_giờ mua/quay/ghé, muốn/cần/gửi khiếu_nại, muốn/cần phản_ánh, phàn_nàn,
    khiếu_nại_về/việc/đơn/vụ, phản_ánh_về/việc, không/chẳng_ai .. trả/nghe/rep/hỗ/phản, không_trả_lời, không_rep,
    không_phản_hồi, không_báo, không_giải_quyết, không_vào .. được, vào .. không_được, lỗi_rồi/hoài/quá/mãi,
    app/web/bot/hệ_thống .. lỗi, không_hoạt_động, treo_máy, sao .. lỗi,

    broken, broke, damaged, defective, torn, cracked, leaking, leaked, spilled, spoiled, rotten, moldy, mouldy,
    smashed, crushed, faulty, ripped,
    wrong order/item/items/size/color/colour/product/one/amount/price/food/drink/address,
    missing item/items/points/order/parcel/package/part/from,
    item/items/order/parcel/package/points/something .. missing,
    points .. gone/disappeared/vanished/lost/deducted/wrong/missing/stolen,
    points .. not .. added/credited/show/showing/there/updated, where did .. points,
    why .. points/balance/voucher/coupon/order, points/balance .. not/wrong/lower/less/incorrect/off,
    got/earned/received/added_no, no_points, not .. enough points, not_all .. points, only .. points,
    forgot .. add/credit/points, fewer/less_points, lost .. points, took .. points, deducted, stolen, disappeared,
    vanished, never .. arrived/arrive/delivered/received/came/come/got,
    not .. received/arrived/delivered/working/credited, did not .. get/receive/arrive/come/work,
    have not .. received/got/arrived, not work, not_working, does/did/would/was/were/has/have_not, why, for_no_reason,
    rejected, declined, refused, denied, failed, fails, unable to, dropped, can not .. use/redeem/login/open/access,
    is not .. valid, invalid, overcharged, charged .. twice/double/wrong/extra, double_charged, refund, money_back,
    complain, terrible, horrible, awful, worst, disappointed, disappointing, unacceptable, ridiculous, disgusting,
    rude, scam, scammed, cheated, cheating, fraud, rip_off, too/so/very_late/slow/bad/long/poor,
    bad/poor_service/quality/experience/food, cold_and_late, food .. cold, still waiting,
    waiting for .. hours/days/weeks, been waiting, late_delivery, order .. late,
    no_one/body .. answers/answered/replies/replied/responds/helped, nobody .. answers/replies/responds/answered,
    food_poisoning, made_me_sick, hair_in, angry, furious, fed_up""",
    alone="""
    khiếu_nại, phản_ánh, góp_ý, lỗi, tệ, trễ, chậm, hư, bể, complaint, error, bug, sai, thiếu, late""",
)
# Right before trouble, these say that there is none.
TROUBLE_DENIED: Final = "@not, khôngmuốn, khôngcần, khôngphải, còn_thiếu # điểm, @not_bị/có/hề, @not_có/hề_bị, hết_bị, not, no, without, never_been"
# Trouble that is only asked about: a person answers it.
HYPOTHETICAL: Final = (
    "nếu, lỡ_mà/bị/như/hàng, nhỡ_mà/bị/như, giả_sử, có_bị .. không/khi/nếu, có .. trừ/chậm/trễ .. không, if, in_case"
)

# Right before a command, these say that it is not wanted.
DENIED: Final = """
    khôngmuốn, khôngcần, khôngphải, khôngthích, khôngđịnh, khôngthèm, không .. cần, thôi_không, khỏi, khỏi_cần,
    đừng_đổi/xóa/mở/chuyển/hủy/bỏ, do_not, did_not, not, no_need, never
"""

# Command → what is said for it. More words beat fewer; the order settles a draw.
COMMANDS: Final = {
    "stop": Phrases(
        anywhere="""
        đừng .. gửi/nhắn/spam/nhận/quảng, @end .. gửi/nhắn/nhận .. @ads, @end .. quảng_cáo, @end .. tin_nhắn,
        @end .. khuyến_mãi, @end .. thông_báo, ngừng/ngưng/dừng_gửi/nhắn/spam,
        không/khôngmuốn/khôngcần/khôngthích .. nhận .. @ads/thông, thôi_gửi/nhắn, thôi_đừng, hủy_đăng_ký,
        hủy/bỏ_theo_dõi, đừng .. làm_phiền, không_làm_phiền, đừng_gọi, unsubscribe, opt_out,
        stop .. sending/messaging/texting/spamming/contacting,
        stop .. messages/ads/promotions/promos/spam/marketing/notifications,
        no more .. ads/messages/promotions/spam/marketing/texts,
        do not .. message/text/contact/send/spam/disturb/messages, turn off .. notifications/ads/messages/promotions,
        remove me""",
        alone="stop, dừng_lại, ngừng, ngưng, tắt_tin, phiền_quá, spam",
    ),
    "tickets": Phrases(
        anywhere="""
        @request .. của @me, yêu_cầu_hỗ_trợ, @request .. tới/đến_đâu, @request .. sao_rồi, @request .. thế_nào,
        @request .. xử_lý, @request đã_gửi, @see .. yêu_cầu, @see .. ticket/tickets, các/những_yêu_cầu,
        lịch_sử hỗ/yêu, phản_hồi_hỗ_trợ, danh_sách yêu_cầu, trả_lời .. yêu_cầu,
        my .. ticket/tickets/case/cases/requests/request, status .. ticket/request/case, track .. ticket/request,
        ticket_status, support_history""",
        alone="ticket, tickets, yêu_cầu, requests, phản_hồi",
    ),
    "invite": Phrases(
        anywhere="""
        giớithiệu bạn, giớithiệu .. bạn, giớithiệu người, giớithiệu bạn .. được, giớithiệu bạn .. điểm, mời bạn,
        mời .. bạn_bè, mời bạn .. được, mời bạn .. điểm, rủ .. bạn, rủ .. bạn_bè, rủ_người, rủ bạn .. được/thưởng,
        link/mã_giớithiệu, link/mã_mời, link/mã .. giớithiệu, link/mã_mời .. bạn, từ_giớithiệu, thưởng_giớithiệu,
        điểm .. từ giớithiệu, chia_sẻ .. bạn, chia_sẻ_link, invite .. friend/friends/people/someone, invite_link/code,
        refer .. friend/friends/someone, referral_link/code/program/programme/bonus, ref_link/code, my_referral,
        share .. link, share .. friends/friend, link .. friends""",
        alone="giớithiệu, mời, invite, referral, referrals, refer, chia_sẻ",
    ),
    "rewards": Phrases(
        anywhere="""
        đổi quà, đổi .. quà, đổi .. @howmany điểm, đổi .. mất .. @howmany .. điểm, đổi_thưởng, @spend điểm,
        @spend điểm .. gì, @spend .. điểm, @spend điểm .. quà/voucher/tiền, @spend .. bằng_điểm, điểm .. @spend,
        điểm .. @spend .. gì, điểm .. làm_gì, @howmany điểm .. đổi, @howmany điểm .. @spend .. được, lấy_quà,
        lấy quà .. điểm, nhận_quà, có_quà, có quà .. đổi, danh_sách quà, @see quà, quà_tặng, kho_quà, quà .. điểm,
        lấy .. bằng_điểm, mua .. bằng_điểm, trả .. bằng_điểm, thanh_toán .. bằng_điểm, điểm lấy_quà/voucher,
        redeem .. points, use .. points, spend .. points, exchange .. points, get .. with .. points,
        buy .. with .. points, pay .. with .. points, with my points, rewards/reward/gift_catalogue/catalog/list,
        my_rewards, what .. rewards""",
        alone="quà, đổi, rewards, reward, redeem, gifts, catalogue, phần_thưởng, đổi_voucher",
    ),
    "gift": Phrases(
        anywhere="""
        tặng .. điểm cho_bạn/người/mẹ/má/ba/bố/vợ/chồng/con/chị/anh, tặng # điểm cho_#, chuyển .. điểm cho/qua/sang,
        muốn/cần tặng .. điểm, tặng/chuyển điểm .. được_không, cách tặng/chuyển điểm, send/transfer/gift .. points,
        give .. points to, share .. points""",
        alone="tặng_điểm, chuyển_điểm",
    ),
    "challenges": Phrases(
        anywhere="""
        thử_thách, nhiệm_vụ .. của @me, nhiệm_vụ .. điểm/quà, @see .. nhiệm_vụ, huy_hiệu, vòng_quay, quay_số, rút_thăm,
        bốc_thăm, chuỗi_ghé, lượt_quay/rút, my .. challenges/challenge/badges/badge/streak, lucky_draw/wheel,
        spin .. wheel""",
        alone="nhiệm_vụ, challenges, challenge, badges, badge, quests, quest, streak",
    ),
    "language": Phrases(
        anywhere="""
        đổi .. ngôn_ngữ, chuyển .. ngôn_ngữ, đổi .. tiếng_anh/việt, chuyển .. tiếng_anh/việt, nói .. tiếng_anh/việt,
        dùng .. tiếng_anh/việt, bằng_tiếng_anh/việt, tiếng_anh/việt_đi, speak .. english/vietnamese,
        switch .. english/vietnamese/language, change .. language, change .. english/vietnamese,
        in_english/vietnamese, english_version, english_please, use english/vietnamese, language_settings""",
        alone="ngôn_ngữ, tiếng_anh, tiếng_việt, english, vietnamese, language, languages",
    ),
    "privacy": Phrases(
        anywhere="""
        quyền_riêng_tư, @erase .. dữ_liệu, @erase .. thông_tin, @erase .. tài_khoản, dữ_liệu_cá_nhân, dữ_liệu của @me,
        lưu .. dữ_liệu, lưu .. thông_tin, thông_tin_cá_nhân, thông_tin của @me, bảo_mật_thông_tin, chính_sách bảo_mật,
        chính_sách riêng_tư, xuất .. dữ_liệu, tải .. dữ_liệu, rút .. đồng_ý, bán .. thông_tin, bán .. dữ_liệu,
        privacy_policy, my_privacy/data/personal, delete/erase/remove/close .. account/data/information/info/details,
        export/download .. data, data .. about me, data .. have, personal_data/information, forget me,
        withdraw .. consent""",
        alone="riêng_tư, bảo_mật, dữ_liệu, privacy, gdpr, data",
    ),
    "vouchers": Phrases(
        anywhere="""
        voucher .. của @me, @see .. voucher/vouchers, có .. voucher, còn .. voucher, voucher_nào, @perk .. giảm_giá,
        @perk_ưu_đãi, @perk_khuyến_mãi, @perk_giảm, mã_freeship, có .. khuyến_mãi, ví/kho_voucher, ưu_đãi của @me,
        ưu_đãi_nào, có .. ưu_đãi, xin .. voucher, @perk .. hết_hạn, danh_sách voucher, chương_trình khuyến_mãi,
        my .. voucher/vouchers/coupon/coupons/discounts/discount, any .. voucher/vouchers/coupon/coupons,
        discount/promo_code/codes, show/list/have .. voucher/vouchers/coupon/coupons""",
        alone="voucher, vouchers, coupon, coupons, ưu_đãi, khuyến_mãi, mã_giảm, giảm_giá, discount, discounts, freeship",
    ),
    "card": Phrases(
        anywhere="""
        thẻ_thành_viên, thẻ_tích_điểm, thẻ_khách_hàng, thẻ_khách, thẻ_hội_viên, thẻ_vip, thẻ_của @me, @see_thẻ, mã_qr,
        qr của @me, @see .. qr, mã_thành_viên, mã_khách_hàng, mã_vạch, mã_tích_điểm, mã .. thu_ngân, hạng_thành_viên,
        hạng của @me, hạng_gì/nào/mấy, @see .. hạng, là_hạng, đang .. hạng, thứ_hạng, hạng_hiện_tại,
        lên_bạc/vàng/bạch .. chưa, member/membership/loyalty_card, my_card, my .. card, qr_code, my_qr, my .. qr_code,
        my_tier, what/which_tier, membership_tier/level, my_level, am .. gold/silver/platinum,
        gold/silver/platinum_yet""",
        alone="qr, hạng, card, tier, membership, thành_viên, barcode",
    ),
    "points": Phrases(
        anywhere="""
        @howmany điểm, @howmany .. điểm, còn .. @howmany điểm, có .. @howmany điểm, @see .. điểm, điểm của @me,
        điểm .. của @me, số_điểm, số_dư, điểm_tích_lũy, điểm_thưởng, điểm_hiện_có/tại, điểm .. @howmany, lịch_sử điểm,
        điểm .. hết_hạn, điểm .. @spend tới/đến_ngày/khi/bao/lúc, tích .. được @howmany, được_cộng @howmany điểm,
        cần/thiếu .. @howmany điểm .. lên/hạng, còn_thiếu # điểm, @howmany điểm .. hạng, my .. points, many .. points,
        points/point_balance, check .. points, points .. have, have .. points, points .. expire, points_history,
        any_points, points_left""",
        alone="điểm, points, point, balance",
    ),
    "support": Phrases(
        anywhere="""
        gặp .. @person, @say .. @person, nói_chuyện .. @person, người_thật, cần .. hỗ_trợ, hỗ_trợ .. với/gấp,
        cần .. tư_vấn, tư_vấn .. với/gấp, tư_vấn_giúp/cho, tư_vấn_viên, liên_hệ_shop, liên_hệ .. chăm_sóc,
        chăm_sóc_khách_hàng, chuyển .. nhân_viên, tổng_đài, hotline, bao_giờ .. tới/đến/giao, khi_nào .. tới/đến/giao,
        @goods .. tới_đâu, @goods .. đến_đâu, @goods .. đâu_rồi, @see .. đơn_hàng, @see .. đơn, tình_trạng đơn,
        đổi_trả, đổi_hàng, trả_hàng, hủy_đơn, bảo_hành, customer_service/support/care, contact .. support/you/us/shop,
        @talk .. @agent, real_person, live_agent/chat/support, need .. help with, where .. order/parcel/package,
        track .. order/parcel/package, order_status, cancel .. order, return .. item/order, call me""",
        alone="hỗ_trợ, tư_vấn, support, contact, human, agent, operator, nhân_viên, liên_hệ, cho .. hỏi_chút/tí/xíu, cho .. hỏi_với, ai hỗ_trợ",
    ),
    "help": Phrases(
        anywhere="""
        hướng_dẫn, hướng_dẫn .. dụng, hướng_dẫn .. dùng, hướng_dẫn .. điểm, cách_dùng, cách_sử_dụng, cách_tích,
        cách_tích_điểm, thế_nào .. tích_điểm, tích_điểm .. thế_nào, bot .. dùng .. sao/nào, dùng .. bot,
        dùng .. thế_nào, bot .. làm .. gì, làm .. được_gì, khôngbiết .. dùng, khôngbiết .. làm, khônghiểu, có .. lệnh,
        lệnh_nào/gì, các_lệnh, danh_sách lệnh, how .. use, how .. work/works, how .. earn, how .. collect .. points,
        how .. get .. points, how .. earn .. points, what can .. do, list .. commands, instructions""",
        alone="giúp, giúp_đỡ, trợ_giúp, help, help_me, lệnh, commands, faq, cứu",
    ),
    "menu": Phrases(
        anywhere="""
        menu_chính, @see .. menu, về_menu, lại_menu, trang_chủ, các_chức_năng, chức_năng_nào, bảng_chọn, danh_mục,
        màn_hình_chính, main_menu, back .. menu, open .. menu""",
        alone="menu, start, bắt_đầu, home, chức_năng, trang_chính, quay_lại, trở_lại, trở_về",
    ),
}

# Only when nothing else was meant, and nothing else is left to answer.
COURTESIES: Final = {
    "thanks": "cảm_ơn, cám_ơn, thanks, thank, đa_tạ",
    "greeting": """
        chào, xin_chào, hi, hello, hey, alo, shop/admin/bạn/anh/chị/em_ơi, #_shop, good_morning/afternoon/evening,
        greetings""",
}
# Words that may stand beside a courtesy and leave it one.
PRAISE: Final = """
    nhiều lắm rất hàng đơn đẹp tốt ngon nhanh dễ thương tuyệt vời ưng xinh xịn quá so much many very lot lots good
    great nice buổi sáng trưa chiều tối morning afternoon evening everyone team mọi người nhà lovely perfect hài lòng
    there
"""

# Real words one slip away from a word above; they mean themselves.
NOT_SLIPS: Final = """
    time this store stone there these those three thing think where here order hours house phone price prices plane
    change chance thích thương thuong trang tiền tháng người được nghĩ những nhưng khách trước trong nhanh quang
    khoảng giống phòng thiết thiệt thiên thiện thiếp chiều chiếu
"""
